"""Frozen nouns of the plant. Standard library and numpy only."""
