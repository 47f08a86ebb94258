"""The messages: texts, their lengths, and the law's rules for advertising."""
