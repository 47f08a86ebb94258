"""Track what became of each message."""
