"""Recipes: YAML that is composed from fragments, bound to the configs of the stages, and listed by glob."""
