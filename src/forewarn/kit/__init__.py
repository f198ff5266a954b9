"""Tools that know no industry."""
