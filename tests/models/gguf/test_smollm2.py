"""SmolLM2, a real model: what a GGUF file of it becomes."""

import asyncio
import json

import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from prmkit.generate import Continuation, GeneratorConfig, Sampling, load_generator
from prmkit.models.facts import inspect_model
from prmkit.models.tokenizer import load_tokenizer
from tests.served import EAGER, run
from tests.smollm2 import SMOLLM2, SMOLLM2_GGUF, needs_smollm2

pytestmark = [pytest.mark.slow, needs_smollm2, pytest.mark.timeout(900)]

SYSTEM = "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
CAPITAL = [{"role": "user", "content": "What is the capital of France?"}]
APPLES = [
    {"role": "user", "content": "Anna has 3 bags of 12 apples and eats 5. How many are left? Think step by step."}
]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return load_tokenizer(str(SMOLLM2))


@pytest.fixture(scope="module")
def original() -> PreTrainedModel:
    """The model as transformers reads it from the GGUF file."""
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        SMOLLM2_GGUF.parent, gguf_file=SMOLLM2_GGUF.name, dtype=torch.float32
    )
    return model.eval()


def prompt_ids(tokenizer: PreTrainedTokenizerBase, messages: list[dict[str, str]]) -> list[int]:
    text = str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def test_the_facts() -> None:
    facts = inspect_model(str(SMOLLM2))
    assert (facts.architecture, facts.dtype, facts.context) == ("LlamaForCausalLM", "float32", 8192)
    # 49,152 words of 576; 30 layers of four maps of attention (9 heads of 64, 3 for keys and values), three of the
    # MLP, and two norms; a last norm. The head is the embedding.
    layer = 2 * 576 * 576 + 2 * 576 * 192 + 3 * 576 * 1536 + 2 * 576
    assert facts.parameters == 49152 * 576 + 30 * layer + 576 == 134_515_008
    assert facts.bytes < 4 * facts.parameters + 100_000
    assert facts.ends == ["<|im_end|>", "<|endoftext|>"]
    assert facts.chat_template


def test_weights_are_those_that_transformers_reads(original: PreTrainedModel) -> None:
    with safe_open(SMOLLM2 / "model.safetensors", framework="pt") as stored:
        assert stored.keys() == sorted(dict(original.named_parameters()))
        assert "lm_head.weight" not in stored.keys()  # noqa: SIM118
        for name, value in original.named_parameters():
            assert torch.equal(stored.get_tensor(name), value), name


def test_greedy_answers_are_those_of_the_model_in_the_file(
    original: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    engine, _ = load_generator(GeneratorConfig(name=str(SMOLLM2), device="cpu"))
    again = AutoModelForCausalLM.from_pretrained(SMOLLM2, dtype="auto").eval()
    sampling = Sampling(temperature=0.0, max_tokens=40)
    for messages in (CAPITAL, APPLES):
        prompt = prompt_ids(tokenizer, messages)
        ids_BN = torch.tensor([prompt])
        ours = asyncio.run(engine.generate(prompt, 1, sampling=sampling, seed=0)).continuations[0]
        written = [*ours.ids, tokenizer.eos_token_id] if ours.finish == "eos" else list(ours.ids)
        for model in (original, again):
            theirs = model.generate(ids_BN, attention_mask=torch.ones_like(ids_BN), max_new_tokens=40, do_sample=False)
            assert theirs[0, len(prompt) :].tolist() == written


def test_a_turn_ends(tokenizer: PreTrainedTokenizerBase) -> None:
    engine, _ = load_generator(GeneratorConfig(name=str(SMOLLM2), device="cpu"))
    sampling = Sampling(temperature=0.0, max_tokens=60)
    written = asyncio.run(engine.generate(prompt_ids(tokenizer, CAPITAL), 1, sampling=sampling, seed=0))
    answer = written.continuations[0]
    assert answer.finish == "eos"
    assert "Paris" in tokenizer.decode(answer.ids)
    assert not set(answer.ids) & set(tokenizer.all_special_ids)


@pytest.mark.vllm
def test_vllm_reads_the_folder(vllm_cpu: None, tokenizer: PreTrainedTokenizerBase) -> None:
    sampling = Sampling(temperature=0.0, max_tokens=20)
    prompt = prompt_ids(tokenizer, CAPITAL)

    async def first(engine: dict[str, object]) -> Continuation:
        config = GeneratorConfig(name=str(SMOLLM2), engine=engine)  # type: ignore[arg-type]
        generator, _ = load_generator(config)
        return (await generator.generate(prompt, 1, sampling=sampling, seed=0)).continuations[0]

    theirs = run(first({**EAGER, "max_model_len": 256}))
    assert theirs == run(first({"name": "transformers"}))
    assert theirs.finish == "eos"


def test_the_chat_template_renders(tokenizer: PreTrainedTokenizerBase) -> None:
    rendered = tokenizer.apply_chat_template(CAPITAL, tokenize=False, add_generation_prompt=True)
    turn = "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
    assert rendered == SYSTEM + turn
    ids = prompt_ids(tokenizer, CAPITAL)
    assert [ids.count(token) for token in (0, 1, 2)] == [0, 3, 2]
    assert tokenizer.decode(ids) == rendered
    assert json.loads((SMOLLM2 / "generation_config.json").read_text())["eos_token_id"] == [2, 0]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        # Digits stand alone, and so does what is before them: two line ends are one token there, and two elsewhere.
        ("I have 345.\n\n2. Two", ["I", "Ġhave", "Ġ", "3", "4", "5", ".", "ĊĊ", "2", ".", "ĠTwo"]),
        ("So.\n\nThen", ["So", ".", "Ċ", "Ċ", "Then"]),
        ("So.\n\n", ["So", ".", "ĊĊ"]),
        ("  12", ["ĠĠ", "1", "2"]),
    ],
)
def test_text_is_split_as_the_model_was_trained_on_it(text: str, pieces: list[str]) -> None:
    for tokenizer in (load_tokenizer(str(SMOLLM2)), AutoTokenizer.from_pretrained(SMOLLM2)):
        assert tokenizer.tokenize(text) == pieces
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
