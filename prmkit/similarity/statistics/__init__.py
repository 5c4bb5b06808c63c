"""What follows from a Gram, without a model: scores, tests, tables."""
