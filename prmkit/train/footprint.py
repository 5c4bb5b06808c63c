"""The memory that a training takes on each device, by part: counted from the shapes of the model, nothing is run.

Activations are counted by a forward pass of one decoder layer and of two on the meta device, where tensors have shapes
and no memory: whatever autograd would keep for the backward pass is added up.
"""

import copy
from dataclasses import asdict, dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AutoModel, PretrainedConfig, PreTrainedModel

from prmkit.models.flops import skeleton
from prmkit.models.prm import PRM, decoder_layers
from prmkit.train.adapter_targets import adapter_targets
from prmkit.train.config import TrainConfig

_COUNTED = "prmkit_counted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """Bytes on one device at the worst moment of a step.

    ``gathered`` are weights that exist for a while beside the device's own: copies in low precision, or what FSDP2
    gathers. ``working`` are the intermediate values of one layer's backward pass. Gradients are ``held`` through it
    where batches are accumulated; otherwise Lightning has freed those of the step before, and the larger of the two
    counts.
    """

    weights: float
    gradients: float
    optimizer: float
    gathered: float
    activations: float
    working: float
    held: bool

    @property
    def total(self) -> float:
        """The worst moment: the end of a forward pass, or the beginning of a backward pass."""
        lasting = self.weights + self.optimizer + self.gathered + self.activations
        both = (self.gradients, self.working)
        return lasting + (sum(both) if self.held else max(both))

    def parts(self) -> dict[str, float]:
        """The parts by name."""
        return {name: value for name, value in asdict(self).items() if name != "held"}


def footprint(config: PretrainedConfig, train: TrainConfig, tokens: int, devices: int) -> Footprint:
    """The memory of a recipe on each of ``devices`` devices.

    Args:
        config: of the backbone.
        train: the optimisation.
        tokens: of one sequence.
        devices: all that train together.
    """
    prm = PRM(skeleton(config))
    model = sum(p.numel() for p in prm.model.parameters())
    head = sum(p.numel() for p in prm.score.parameters())
    layer = sum(p.numel() for p in decoder_layers(prm.model)[0].parameters())
    own = 2 if train.precision == "bf16-true" else 4
    low = 4 if train.precision == "32-true" else 2
    sharded = train.strategy in ("fsdp2", "deepspeed")
    parts = devices if sharded else 1
    trained, stored = float(model + head), float(model + head) * own
    if train.lora is not None:
        trained = float(_adapters(prm, train) + head)
        stored = model * (0.55 if train.lora.quantize == "nf4" else own) + trained * own
    if sharded:  # two layers are gathered at once, and the widest part that is not a layer
        rest = model + head - layer * len(decoder_layers(prm.model))
        gathered = (2 * layer + rest) / train.tensor_parallel * low
    else:
        gathered = (model + head) * low if low < own and train.lora is None else 0.0
    kept, peak = _activations(config, train, tokens, low)
    return Footprint(
        weights=stored / parts,
        gradients=trained * own / parts,
        optimizer=2 * trained * own / parts,
        gathered=gathered,
        activations=kept / train.tensor_parallel,
        working=peak / train.tensor_parallel,
        held=train.accumulate > 1,
    )


def _activations(config: PretrainedConfig, train: TrainConfig, tokens: int, width: int) -> tuple[float, float]:
    """Bytes kept by all layers until their backward pass, and those that one layer's backward pass takes besides."""
    one, two = (_kept(config, layers, train.batch_size, tokens, width) for layers in (1, 2))
    layer, ends = two - one, 2 * one - two
    rows = train.batch_size * tokens * width
    # Two gradients of a layer's widest values live at a time; what they were made from is freed on the way.
    working = 2.0 * rows * config.intermediate_size
    if not train.gradient_checkpointing:
        return ends + layer * config.num_hidden_layers, working
    return ends + rows * config.hidden_size * config.num_hidden_layers, working + layer


def _kept(config: PretrainedConfig, layers: int, batch: int, tokens: int, width: int) -> float:
    """What autograd keeps of a forward pass through so many layers, weights left out."""
    small = copy.deepcopy(config)
    small.num_hidden_layers = layers
    if getattr(small, "layer_types", None):
        small.layer_types = (small.layer_types * layers)[:layers]
    AttentionInterface.register(_COUNTED, cast(Any, _counted_attention))
    with torch.device("meta"):
        model = cast(
            PreTrainedModel, AutoModel.from_config(small, dtype=torch.bfloat16 if width == 2 else torch.float32)
        )
        model.set_attn_implementation(_COUNTED)
        ids_BT = torch.zeros(batch, tokens, dtype=torch.long)
    weights = {_place(parameter) for parameter in cast(nn.Module, model).parameters()}
    seen: dict[int, Tensor] = {}

    def keep(value: Tensor) -> Tensor:
        if _place(value) not in weights:
            seen[_place(value)] = value
        return value

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        output = model(input_ids=ids_BT, use_cache=False).last_hidden_state
    del output
    return float(sum(value.untyped_storage().nbytes() for value in seen.values()))


def _place(value: Tensor) -> int:
    return int(value.untyped_storage()._cdata)


class _Attention(torch.autograd.Function):
    """Keeps what fused attention keeps: its inputs, its output and one number a row and head."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        output = torch.empty_like(query)
        ctx.save_for_backward(query, key, value, output, query.new_empty(query.shape[:-1], dtype=torch.float32))
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        raise NotImplementedError("a count has no backward pass")


def _counted_attention(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: Any, **options: Any
) -> tuple[Tensor, None]:
    output = cast(Tensor, _Attention.apply(query, key, value))  # type: ignore[no-untyped-call]
    return output.transpose(1, 2).contiguous(), None


def _adapters(prm: PRM, train: TrainConfig) -> int:
    """Numbers in the adapters of a backbone."""
    assert train.lora is not None
    targets = adapter_targets(cast(nn.Module, prm.model), train.lora.targets)
    weights = [prm.model.get_submodule(name).weight for name in targets.maps]
    stacks = [prm.model.get_parameter(name) for name in targets.stacks]
    sides = sum(sum(cast(Tensor, weight).shape) for weight in weights)
    return train.lora.rank * (sides + sum(len(stack) * sum(stack.shape[1:]) for stack in stacks))
