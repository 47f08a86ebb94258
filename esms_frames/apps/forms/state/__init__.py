"""The state of a form, without any widget."""
