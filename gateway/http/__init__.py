"""The face on the wire: Flask, and nothing that decides."""
