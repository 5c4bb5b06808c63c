"""Do responses use a model in the same way? Activation patterns |theta * dF/dtheta| and their similarity."""
