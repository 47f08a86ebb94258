"""A local gateway that delivers nothing."""
