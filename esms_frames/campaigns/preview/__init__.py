"""Forecast what a send would do and cost."""
