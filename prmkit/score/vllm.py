"""The vLLM scorer: token-wise pooling that reads the prefix cache, so that a step is computed once."""

from collections.abc import Sequence

from prmkit.errors import InputError
from prmkit.generate.config import VllmEngine
from prmkit.generate.vllm_engine import Vllm
from prmkit.models.context import engine_context, original_context
from prmkit.models.folder import check_weight_files
from prmkit.models.foreign.adapters import PrmText, read_prm
from prmkit.models.names import model_folder
from prmkit.score import PrmConfig
from prmkit.score.rows import Rows, RowScorer, head_flops


class VllmScorer(RowScorer):
    """Scores with a PRM in vLLM.

    Cached are whole blocks (16 tokens on a GPU, 128 on a CPU), so up to a block is computed again for each request.

    Args:
        engine: the PRM in vLLM, with the runner ``pooling``.
        text: its tokenisation, context and config.
    """

    def __init__(self, engine: Vllm, text: PrmText) -> None:
        self._engine = engine
        self.meter = engine.meter
        context = min(engine.context, text.context)
        super().__init__(self._rows, text.encoder, context=context, flops=head_flops(text.config))

    async def _rows(self, ids: Sequence[int]) -> Rows:
        output = await self._engine.rewards(ids)
        return Rows(output.outputs.data.float().tolist(), output.num_cached_tokens)


def load_scorer(config: PrmConfig) -> tuple[VllmScorer, str]:
    """The PRM of a recipe in vLLM, and where its labels came from.

    Raises:
        InputError: vLLM is not installed, or does not know this kind of PRM.
        RunError: vLLM did not start.
    """
    assert isinstance(config.engine, VllmEngine)
    assert config.checkpoint is not None
    text = read_prm(config.checkpoint, config.adapter)
    if text.adapter not in ("prmkit", "qwen-math-prm"):
        raise InputError(
            "vLLM has no model for this kind of PRM",
            where=config.checkpoint,
            got=text.adapter,
            expected="prmkit or qwen-math-prm",
            cure="Set scorer.engine.name to transformers.",
        )
    folder = model_folder(config.checkpoint)
    check_weight_files(folder, config.checkpoint)
    # Of two contexts vLLM takes the angles of the one that it is told (LongRoPE), and the PRM was trained on one.
    told = engine_context(text.config, config.engine.max_model_len, text.context)
    settled = original_context(text.config) is not None
    engine = Vllm(
        str(folder),
        config.engine.model_copy(update={"max_model_len": told}) if settled else config.engine,
        dtype=text.dtype,
        device=config.device,
        memory=config.memory,
        runner="pooling",
        limits={"max_num_batched_tokens": config.max_tokens},
    )
    return VllmScorer(engine, text), text.label_source
