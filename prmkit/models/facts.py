"""What a language model in a folder is, without loading it."""

from dataclasses import dataclass

from transformers import GenerationConfig

from prmkit.models.backbone import load_config
from prmkit.models.context import context_of
from prmkit.models.ends import declared_ends
from prmkit.models.names import model_folder
from prmkit.models.stored_tensors import StoredTensors
from prmkit.models.tokenizer import load_tokenizer


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """``parameters`` counts what is stored, ``bytes`` the files of the weights, ``context`` is in tokens (0 where the
    config does not say), and ``ends`` are the tokens that it says end a text.
    """

    architecture: str
    parameters: int
    dtype: str
    bytes: int
    context: int
    vocabulary: int
    ends: list[str]
    chat_template: bool


def inspect_model(name: str) -> ModelFacts:
    """The facts of a causal LM.

    Args:
        name: local folder, ``org/name`` or ``org/name@revision``.

    Raises:
        InputError: there is no such model, or it has no tokenizer.
    """
    config, tokenizer, folder = load_config(name), load_tokenizer(name), model_folder(name)
    try:
        ends = declared_ends(GenerationConfig.from_pretrained(folder), tokenizer)
    except (OSError, ValueError, TypeError):  # it has no generation_config.json, or one that says nothing
        ends = declared_ends(config, tokenizer)
    return ModelFacts(
        architecture=", ".join(config.architectures or ()),
        parameters=StoredTensors(folder).parameters,
        dtype=str(config.dtype).removeprefix("torch."),
        bytes=sum(file.stat().st_size for file in folder.glob("*.safetensors")),
        context=context_of(config) or 0,
        vocabulary=config.vocab_size,
        ends=[str(tokenizer.convert_ids_to_tokens(end)) for end in ends],
        chat_template=tokenizer.chat_template is not None,
    )
