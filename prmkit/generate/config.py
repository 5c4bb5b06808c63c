"""Which engine runs a model and what it is told. No torch, so that recipes bind in milliseconds."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, field_validator, model_validator


class EngineConfig(BaseModel):
    """What all engines share."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LocalEngine(EngineConfig):
    """An engine that holds its model itself: in this process, or in actors of a Ray cluster."""

    workers: Literal["here", "ray"] = Field("here", description="this process, or actors of a Ray cluster")
    replicas: int = Field(1, ge=1, description="copies of the engine, with workers: ray")
    gpus: float | None = Field(
        None, ge=0, description="GPUs of a copy, with workers: ray; default: as many as it needs"
    )
    max_model_len: int | None = Field(None, ge=1, description="context in tokens; default: the model's")

    @model_validator(mode="after")
    def _copies_are_actors(self) -> "LocalEngine":
        if self.workers == "here" and (self.replicas != 1 or self.gpus is not None):
            raise ValueError("replicas and gpus go with workers: ray")
        return self


def context_asked(engine: EngineConfig) -> int | None:
    """The context in tokens that a recipe asks of an engine, where it is one that can be asked."""
    return engine.max_model_len if isinstance(engine, LocalEngine) else None


class TransformersEngine(LocalEngine):
    """transformers in Python: any model and device, and the reference for the others."""

    name: Literal["transformers"] = Field("transformers", description="the engine")


class VllmEngine(LocalEngine):
    """vLLM; keys that are not explained here are vLLM's own."""

    name: Literal["vllm"] = Field(description="the engine")
    tensor_parallel_size: int = Field(1, ge=1, description="GPUs that share each layer")
    pipeline_parallel_size: int = Field(1, ge=1, description="groups of GPUs that share the layers")
    enforce_eager: bool = Field(False, description="start faster, run slower: no CUDA graphs")
    options: dict[str, Any] = Field({}, description="further arguments of vLLM's AsyncEngineArgs")


class ServerEngine(EngineConfig):
    """A model behind HTTP."""

    url: str = Field(pattern=r"^https?://", description="address of the server, up to but not including /v1")
    model: str | None = Field(None, description="the model's name at the server; default: the only one it serves")
    api_key_env: str = Field("OPENAI_API_KEY", description="environment variable that holds the key, if one is needed")
    timeout: float = Field(600.0, gt=0, description="seconds until a request without an answer is tried again")
    retries: int = Field(8, ge=0, description="further tries of a request that met a busy, broken or silent server")
    in_flight: int = Field(256, ge=1, description="requests that wait for the server at once")


class OpenAIEngine(ServerEngine):
    """A completions server: vLLM, SGLang, llama.cpp and others that speak OpenAI's protocol."""

    name: Literal["openai"] = Field(description="the engine")
    prompts: Literal["ids", "text"] = Field("ids", description="text for servers that take no token ids")


class ChatEngine(ServerEngine):
    """A chat server: any of /v1/chat/completions. The generator's ``name`` is the model's name there; no tokenizer."""

    name: Literal["chat"] = Field(description="the engine")
    model: str | None = Field(None, description="the model's name at the server; default: the generator's name")
    api: str = Field("/v1", pattern=r"^(/.*[^/])?$", description="what stands between url and /chat/completions")
    continues: Literal["auto", "vllm", "deepseek", "mistral", "none"] = Field(
        "auto", description="how the server goes on with an answer that was begun, which single steps need"
    )
    options: dict[str, Any] = Field({}, description="further keys of each request, such as reasoning_effort")

    @field_validator("options")
    @classmethod
    def _not_ours(cls, options: dict[str, Any]) -> dict[str, Any]:
        if taken := sorted(_OURS & options.keys()):
            raise ValueError(f"{taken[0]} is set by prmkit")
        return options


_OURS = frozenset(
    [
        "model",
        "messages",
        "prompt",
        "n",
        "stop",
        "stream",
        "seed",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "logprobs",
        "top_logprobs",
        "continue_final_message",
        "add_generation_prompt",
    ]
)
"""Keys of a request that follow from the rest of the recipe."""


class CustomEngine(EngineConfig):
    """Somebody's own engine."""

    name: str = Field(description="my_package.module:load, which takes the config and returns an engine")
    options: dict[str, Any] = Field({}, description="what it is told")


def by_name(*builtin: str) -> Discriminator:
    """Chooses the config of an engine by its ``name``; a name with a colon is somebody's own."""

    def kind(value: Any) -> str | None:
        name = value.get("name", "transformers") if isinstance(value, Mapping) else getattr(value, "name", None)
        return name if name in builtin else "custom" if ":" in str(name) else None

    return Discriminator(
        kind,
        custom_error_type="engine",
        custom_error_message=f"an engine with a name among {', '.join(builtin)}, or my_package.module:load",
    )


GeneratorEngine = Annotated[
    Annotated[TransformersEngine, Tag("transformers")]
    | Annotated[VllmEngine, Tag("vllm")]
    | Annotated[OpenAIEngine, Tag("openai")]
    | Annotated[ChatEngine, Tag("chat")]
    | Annotated[CustomEngine, Tag("custom")],
    by_name("transformers", "vllm", "openai", "chat"),
]
