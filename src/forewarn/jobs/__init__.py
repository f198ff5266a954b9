"""Slow work that walks the same road: replay pushes the past through the door."""
