"""`forewarn evaluate`: detectors measured on public data, causally, beside what knows no sensor."""
