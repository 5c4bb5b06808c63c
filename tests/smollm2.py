"""SmolLM2-135M-Instruct, a real language model: where ``make .venv/.smollm2`` puts it."""

from pathlib import Path

import pytest

_VENV = Path(__file__).parents[1] / ".venv"

SMOLLM2 = _VENV / "smollm2"
"""The model as a folder, in float32."""

SMOLLM2_GGUF = _VENV / "smollm2.gguf"
"""The file that it was made from."""

needs_smollm2 = pytest.mark.skipif(not SMOLLM2.is_dir(), reason="no SmolLM2: make .venv/.smollm2")
