"""The command line, French and English."""
