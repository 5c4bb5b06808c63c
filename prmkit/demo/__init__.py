"""The embedded world: a small policy, and the whole loop on the synthetic benchmarks."""
