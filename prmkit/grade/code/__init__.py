"""The judge of code: programs under the rules of each benchmark."""
