"""The widgets that forms are made of."""
