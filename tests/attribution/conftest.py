"""A tiny PRM with random weights, large enough that its scores differ."""

from pathlib import Path

import pytest
import torch

from prmkit.models.backbone import load_backbone
from prmkit.models.checkpoint import CheckpointMeta, LoadedPRM
from prmkit.models.prm import PRM
from prmkit.packing.encode import StepEncoder
from prmkit.packing.format import StepFormat
from prmkit.tree import Problem
from tests.tiny import tiny_backbone, tiny_tokenizer

PROBLEM = Problem(id="p", prompt="1 + 2 ?")
STEPS = ["a = 1", "b = 2", "c = 3"]


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> LoadedPRM:
    folder: Path = tmp_path_factory.mktemp("prm")
    backbone, _ = load_backbone(tiny_backbone(folder), torch.float32)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        prm = PRM(backbone).eval()
        for parameter in prm.parameters():
            if parameter.ndim == 2:
                torch.nn.init.normal_(parameter, std=0.2)
    meta = CheckpointMeta(format=StepFormat(), label_source="human", max_length=64)
    return LoadedPRM(prm=prm, encoder=StepEncoder(tiny_tokenizer(), StepFormat()), meta=meta)
