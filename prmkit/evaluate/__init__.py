"""What a PRM or a search achieved: metrics with their errors, computed from files alone."""
