"""prmkit: train Process Reward Models, make their step labels, search with them, measure what they learned."""

__version__ = "0.1.0"
