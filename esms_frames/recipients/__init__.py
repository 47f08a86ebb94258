"""The recipients: customer files and DataFrames in, an Audience out."""
