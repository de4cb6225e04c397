"""The one table of errors and the French and English catalogue."""
