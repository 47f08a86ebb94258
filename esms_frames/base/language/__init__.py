"""The languages that people are spoken to in: their catalogues of translations."""
