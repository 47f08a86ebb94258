"""Customer files as people have them."""
