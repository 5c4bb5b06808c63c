"""The judge of math: extraction of answers, and when two are equal."""
