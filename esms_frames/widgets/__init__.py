"""Forms for notebooks and pages: sending, and looking at results, for people who don't write code."""
