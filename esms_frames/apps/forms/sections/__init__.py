"""The sections of the send form."""
