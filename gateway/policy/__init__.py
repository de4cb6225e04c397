"""Step 5: the bundle of parties and agreements; deny by default."""
