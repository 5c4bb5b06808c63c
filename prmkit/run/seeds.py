"""Seeds of parts of a run, from the seed of the whole."""

import hashlib


def sample_seed(seed: int, sample: int) -> int:
    """The seed of one of the continuations of a request, below 2**63."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{sample}".encode()).digest()[:8], "big") >> 1
