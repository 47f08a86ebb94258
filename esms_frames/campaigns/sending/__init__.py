"""A run: what is uncertain is settled, then each piece is written down and sent."""
