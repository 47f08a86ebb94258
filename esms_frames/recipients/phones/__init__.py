"""Any spelling of a phone number to the number, or to why it is none."""
