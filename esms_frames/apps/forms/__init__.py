"""Forms for notebooks: the send form and the view of results."""
