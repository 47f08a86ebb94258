"""The HTTP server for the gateway's callbacks."""
