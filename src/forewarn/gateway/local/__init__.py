"""What a gateway remembers by itself: its signals' keys, its alarms and findings."""
