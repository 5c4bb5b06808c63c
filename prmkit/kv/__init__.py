"""Past key-values: what many sequences share is computed once, by scorers and generators in this process."""
