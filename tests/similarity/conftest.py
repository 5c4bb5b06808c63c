"""A tiny reference model and some responses to it."""

from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from prmkit.models.backbone import load_causal_lm
from prmkit.similarity.response import Response
from tests.tiny import tiny_backbone


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> PreTrainedModel:
    folder: Path = tmp_path_factory.mktemp("reference")
    return load_causal_lm(tiny_backbone(folder), torch.float32)[0]


def response(*ids: int, problem: str = "p", prompt: int = 2) -> Response:
    return Response(problem_id=problem, ids=ids, prompt_length=prompt, text=" ".join(map(str, ids[prompt:])))


@pytest.fixture
def responses() -> list[Response]:
    return [
        response(4, 5, 6, 7, problem="a"),
        response(4, 5, 8, 9, 10, 11, problem="a"),
        response(12, 13, 6, problem="b"),
        response(12, 13, 14, 15, 16, problem="b"),
    ]
