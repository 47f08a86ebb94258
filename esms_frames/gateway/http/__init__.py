"""One HTTP exchange: connections, keys kept secret, and what a failure means."""
