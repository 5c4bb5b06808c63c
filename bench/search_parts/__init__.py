"""What bench/search.py measures with."""
