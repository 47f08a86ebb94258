"""Audiences larger than memory, from Dask DataFrames."""
