"""What the rooms of floor 3 promise each other: one Protocol a file."""
