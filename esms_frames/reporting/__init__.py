"""The frames that come back: one row for each of the customers', what became of it, summed up and drawn."""
