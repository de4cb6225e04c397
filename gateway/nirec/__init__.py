"""NIREC to subject to handle (N1 to N4), never at rest in the clear."""
