"""Numbers that look random and are fixed by what they are for: seeds of parts of a run, and lots.

What was drawn with one of these functions is drawn again by the same function only: none of them may change. The tokens
of the transformers engine have a stream of their own, which its kernel goes on with (``generate.gumbel.stream_key``).
"""

import hashlib


def seed_of(text: str) -> int:
    """A seed below 2**63 that is fixed by a text, any string of Python."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big") >> 1


def derived_seed(seed: int, part: str | int) -> int:
    """The seed, below 2**63, of a part of what has a seed: of a request of a run, of a sample of a request."""
    return seed_of(f"{seed}:{part}")


def lot(key: int, purpose: str) -> int:
    """A number below 2**64, fixed by key and purpose: keys in the order of their lots are in a random order."""
    return int.from_bytes(hashlib.blake2b(f"{purpose}:{key}".encode(), digest_size=8).digest(), "big")
