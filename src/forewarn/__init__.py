"""Forewarn: open predictive maintenance, from the PLC's register to the closed work order."""

__version__ = "0.1.0"
