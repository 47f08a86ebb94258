"""The eSMS HTTP API."""
