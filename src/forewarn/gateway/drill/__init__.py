"""Pulling the cables on purpose, and counting what that did."""
