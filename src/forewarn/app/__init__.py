"""Settings, wiring (the sole place objects meet), plugin discovery and the command line."""
