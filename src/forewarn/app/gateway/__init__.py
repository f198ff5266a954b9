"""The edge gateway as a process: its file, its wiring, its commands. Nothing here needs the platform's libraries."""
