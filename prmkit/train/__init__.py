"""Training a PRM with Lightning."""
