"""Every promise with the program that measures it. Figures are printed, never asserted."""
