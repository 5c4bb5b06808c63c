"""What machines and backbones look like, for plans: no torch, no network."""

import re
from dataclasses import dataclass

from prmkit.errors import InputError

GIB = 2**30


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU: its memory in bytes, and its peak in bf16 FLOP/s (dense)."""

    memory: float
    peak: float


GPUS = {
    "A100-40": Gpu(40 * GIB, 312e12),
    "A100": Gpu(80 * GIB, 312e12),
    "L40S": Gpu(48 * GIB, 362e12),
    "RTX4090": Gpu(24 * GIB, 165e12),
    "H100": Gpu(80 * GIB, 989e12),
    "H200": Gpu(141 * GIB, 989e12),
    "B200": Gpu(180 * GIB, 2250e12),
}
"""By the vendor's data sheets."""


@dataclass(frozen=True, slots=True)
class Machine:
    """So many devices of a kind."""

    count: int
    kind: str

    @property
    def device(self) -> Gpu:
        """What one of them is."""
        return GPUS[self.kind]


def machine_of(text: str) -> Machine:
    """A machine as people write it, such as ``8xH100``; without a number, it is one.

    Raises:
        InputError: there is no such device, or none of them.
    """
    found = re.fullmatch(r"(?:(\d+)x)?(.+)", text.strip(), flags=re.IGNORECASE)
    kinds = {name.lower(): name for name in GPUS}
    if found is None or found[2].lower() not in kinds or int(found[1] or 1) < 1:
        raise InputError("no such machine", where="--plan", got=text, expected=f"8xH100; known: {', '.join(GPUS)}")
    return Machine(int(found[1] or 1), kinds[found[2].lower()])


QWEN25 = {
    # Hidden size, layers, heads, key-value heads, intermediate size, vocabulary: arXiv 2412.15115, released configs.
    "0.5b": (896, 24, 14, 2, 4864, 151936),
    "1.5b": (1536, 28, 12, 2, 8960, 151936),
    "3b": (2048, 36, 16, 2, 11008, 151936),
    "7b": (3584, 28, 28, 4, 18944, 152064),
    "14b": (5120, 48, 40, 8, 13824, 152064),
    "32b": (5120, 64, 40, 8, 27648, 152064),
    "72b": (8192, 80, 64, 8, 29568, 152064),
}
"""The shapes of Qwen2.5, so that its cells can be planned without a network."""
