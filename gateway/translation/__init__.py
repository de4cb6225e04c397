"""Step 3: bytes to a canonical message under its contract, and back."""
