"""The cooperative: its registry speaks our own REST profile, so that only its sandbox stands here."""
