"""The programs that people run: the command line, forms, the receiver of callbacks, `df.esms`."""
