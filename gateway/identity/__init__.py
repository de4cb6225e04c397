"""Step 1: a TLS certificate becomes a party of the policy, or a refusal."""
