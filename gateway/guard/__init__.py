"""Step 4: nonces and salts claimed once; refusals counted."""
