"""The scorer behind HTTP: ``vllm serve`` with the runner ``pooling``."""

from collections.abc import Sequence

from prmkit.errors import RunError
from prmkit.generate.server import Server, Trouble
from prmkit.models.foreign.adapters import PrmText, read_prm
from prmkit.score import PrmConfig
from prmkit.score.config import PoolingEngine
from prmkit.score.rows import Rows, RowScorer, head_flops


class ServerScorer(RowScorer):
    """Scores with a PRM that vLLM serves.

    vLLM's protocol has no word for reading the prefix cache in this task (0.32), so each request computes the whole
    path; all unscored steps of a path are read off one request.

    Args:
        server: the server.
        text: the tokenisation, context and config of its PRM.
    """

    def __init__(self, server: Server, text: PrmText) -> None:
        self._server = server
        context = min(text.context, server.context or text.context)
        super().__init__(self._rows, text.encoder, context=context, flops=head_flops(text.config))

    async def _rows(self, ids: Sequence[int]) -> Rows:
        return await self._server.persist(self._try, ids)

    async def _try(self, ids: Sequence[int]) -> Rows:
        body = {"model": self._server.model, "input": list(ids), "task": "token_classify", "use_activation": False}
        reply = await self._server.post("/pooling", body)
        try:
            rows = [[float(label) for label in row] for row in reply["data"][0]["data"]]
        except (KeyError, IndexError, TypeError, ValueError):
            raise Trouble(f"an answer without rows of logits: {str(reply)[:120]}") from None
        if len(rows) != len(ids):
            raise RunError(
                f"the server answered {len(rows)} rows for {len(ids)} tokens; serve a two-label PRM with "
                """--pooler-config '{"tok_pooling_type": "ALL"}'"""
            )
        return Rows(rows, cached=0)


def load_scorer(config: PrmConfig) -> tuple[ServerScorer, str]:
    """The PRM of a recipe behind HTTP, and where its labels came from.

    Raises:
        InputError: the checkpoint is not at hand, the server is down, refuses the key, or does not serve the model.
    """
    assert isinstance(config.engine, PoolingEngine)
    assert config.checkpoint is not None
    text = read_prm(config.checkpoint, config.adapter)
    return ServerScorer(Server(config.engine), text), text.label_source
