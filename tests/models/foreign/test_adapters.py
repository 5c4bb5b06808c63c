"""Each kind of PRM as its authors store it, against a forward pass as its authors write it."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForTokenClassification,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from prmkit.errors import InputError
from prmkit.models.config import Adapter
from prmkit.models.foreign.adapters import load_any_prm, read_prm
from prmkit.score.transformers import TransformersScorer
from prmkit.tree import Problem, StepTree

PROBLEM = Problem(id="p", prompt="What is two and two?")
STEPS = ["We add two and two.", "The sum is four.", "So the answer is four."]
LINES = ["What is two and two? We add two and two.\nThe sum is four. ки\n", "Step 1: So the answer is four. + -\n"] * 4

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# Llama 3.1's own, without its tools.
LLAMA3 = (
    "{{ bos_token + '<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\n\n' }}"
    "{{ '<|eot_id|>' }}"
    "{% for m in messages %}{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' + m['content'] | trim + "
    "'<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)


def byte_level(*specials: str, **options: str) -> PreTrainedTokenizerBase:
    """Qwen's and Llama 3's kind of tokenizer: BPE over bytes."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=[AddedToken(text, special=True) for text in ("<|endoftext|>", *specials)],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(LINES, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<|endoftext|>", **options)


def sentencepiece() -> PreTrainedTokenizerBase:
    """Mistral's kind: BPE over a text whose spaces are written out, unknown characters as bytes, <s> in front."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=480, special_tokens=["<unk>", "<s>", "</s>", *bytes_], show_progress=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")  # no token but a word's first holds a space
    tokenizer.train_from_iterator([line.replace("\n", " ") for line in LINES], trainer)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


def stored(folder: Path, tokenizer: PreTrainedTokenizerBase, kind: str, auto: type, **options: int) -> None:
    config = AutoConfig.for_model(
        kind,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        intermediate_size=64,
        max_position_embeddings=512,
        vocab_size=len(tokenizer),
        pad_token_id=None,
        initializer_range=0.2,
        **options,
    )
    with torch.random.fork_rng():
        torch.manual_seed(1)
        auto.from_config(config).save_pretrained(folder)  # type: ignore[attr-defined]
    tokenizer.save_pretrained(folder)


def declare(folder: Path, **keys: object) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | keys))


def add_weights(folder: Path, **weights: torch.Tensor) -> None:
    file = folder / "model.safetensors"
    save_file(load_file(file) | {key.replace("__", "."): value for key, value in weights.items()}, file)


def hidden(folder: Path, ids: list[int]) -> torch.Tensor:
    with torch.no_grad():
        return AutoModel.from_pretrained(folder)(torch.tensor([ids])).last_hidden_state[0]


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape))) / 5


def qwen(folder: Path) -> list[float]:
    """The code on the card of Qwen/Qwen2.5-Math-PRM-7B."""
    tokenizer = byte_level("<|im_start|>", "<|im_end|>", "<extra_0>", eos_token="<|im_end|>")
    tokenizer.chat_template = CHATML
    stored(folder, tokenizer, "qwen2", AutoModelForCausalLM, tie_word_embeddings=False)
    head = {"score__0__weight": draw(32, 32), "score__0__bias": draw(32), "score__2__weight": draw(2, 32)}
    add_weights(folder, **head, score__2__bias=draw(2))
    remote = {"AutoConfig": "configuration_qwen2_rm.Qwen2RMConfig", "AutoModel": "modeling_qwen2_rm.X"}
    declare(folder, architectures=["Qwen2ForProcessRewardModel"], auto_map=remote)
    text = tokenizer.apply_chat_template(
        [
            {"role": "system", "content": "Please reason step by step, and put your final answer within \\boxed{}."},
            {"role": "user", "content": PROBLEM.prompt},
            {"role": "assistant", "content": "<extra_0>".join(STEPS) + "<extra_0>"},
        ],
        tokenize=False,
        add_generation_prompt=False,
    )
    ids = tokenizer.encode(text)
    inner = torch.relu(hidden(folder, ids) @ draw(32, 32).T + draw(32))
    probabilities = (inner @ draw(2, 32).T + draw(2)).softmax(-1)
    marks = torch.tensor(ids) == tokenizer.convert_tokens_to_ids("<extra_0>")
    return probabilities[marks, 1].tolist()


def skywork(folder: Path) -> list[float]:
    """prepare_input and derive_step_rewards of SkyworkAI/skywork-o1-prm-inference."""
    tokenizer = byte_level("<|im_end|>", bos_token="<|endoftext|>", eos_token="<|im_end|>")
    stored(folder, tokenizer, "qwen2", AutoModelForCausalLM, tie_word_embeddings=False)
    add_weights(folder, v_head__summary__weight=draw(1, 32), v_head__summary__bias=draw(1))
    declare(folder, architectures=["Qwen2ForPrmModel"])
    ids = tokenizer.encode(str(tokenizer.bos_token) + PROBLEM.prompt + "\n")
    flags = []
    for step in "\n".join(STEPS).split("\n"):
        ids += [*tokenizer.encode(step), tokenizer.encode("\n")[-1]]
        flags.append(len(ids) - 1)
    values = hidden(folder, ids) @ draw(1, 32).T + draw(1)
    return torch.sigmoid(values[flags, 0]).tolist()


def math_shepherd(folder: Path) -> list[float]:
    """The code on the card of peiyi9979/math-shepherd-mistral-7b-prm."""
    tokenizer = sentencepiece()
    stored(folder, tokenizer, "mistral", AutoModelForCausalLM, tie_word_embeddings=False)
    candidates = tokenizer.encode("+ -")[1:]
    assert len(candidates) == 2
    tag = tokenizer.encode("ки")[-1]
    ids = tokenizer.encode(f"{PROBLEM.prompt} " + "\n".join(f"{step} ки" for step in STEPS))
    with torch.no_grad():
        logits = AutoModelForCausalLM.from_pretrained(folder)(torch.tensor([ids])).logits[0][:, candidates]
    return logits.softmax(-1)[torch.tensor(ids) == tag, 0].tolist()


def rlhflow(folder: Path) -> list[float]:
    """math-rm/prm_evaluate.py of RLHFlow/RLHF-Reward-Modeling: one forward pass a step, read at position -3."""
    tokenizer = byte_level(
        "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", bos_token="<|begin_of_text|>"
    )
    tokenizer.chat_template = LLAMA3
    stored(folder, tokenizer, "llama", AutoModelForCausalLM, tie_word_embeddings=True)
    model = AutoModelForCausalLM.from_pretrained(folder)
    candidates = [tokenizer.encode(sign)[-1] for sign in "+-"]
    scores, conversation = [], []
    for number, step in enumerate(STEPS):
        conversation.append({"role": "user", "content": step if number else PROBLEM.prompt + " " + step})
        conversation.append({"role": "assistant", "content": "+"})
        ids = tokenizer.apply_chat_template(conversation, return_tensors="pt", return_dict=False)
        with torch.no_grad():
            scores.append(model(ids).logits[0, -3, candidates].softmax(-1)[0].item())
    return scores


def trl(folder: Path) -> list[float]:
    """tokenize_row of trl's PRMTrainer, and the token classifier that it trains."""
    tokenizer = byte_level("<|im_end|>", eos_token="<|im_end|>")
    stored(folder, tokenizer, "qwen2", AutoModelForTokenClassification, num_labels=2)
    ids = tokenizer.encode(PROBLEM.prompt)
    ends = []
    for step in STEPS:
        ids += tokenizer.encode(step) + tokenizer.encode("\n")
        ends.append(len(ids) - 1)
    with torch.no_grad():
        logits = AutoModelForTokenClassification.from_pretrained(folder)(torch.tensor([ids])).logits[0]
    return logits[ends].softmax(-1)[:, 1].tolist()


KINDS: dict[Adapter, Callable[[Path], list[float]]] = {
    "qwen-math-prm": qwen,
    "skywork-o1": skywork,
    "math-shepherd": math_shepherd,
    "rlhflow": rlhflow,
    "trl": trl,
}


@pytest.mark.parametrize("adapter", KINDS)
def test_step_scores_are_those_of_the_authors_code(adapter: Adapter, tmp_path: Path) -> None:
    expected = KINDS[adapter](tmp_path)
    assert max(expected) - min(expected) > 1e-3  # the steps are told apart
    tree = StepTree.from_steps(PROBLEM, STEPS)
    loaded = load_any_prm(str(tmp_path), adapter)
    scores = asyncio.run(TransformersScorer(loaded).score(tree, [0, 1, 2]))
    assert scores.values == pytest.approx(expected, abs=1e-5)


def test_the_config_says_whose_prm_it_is(tmp_path: Path) -> None:
    found: dict[str, str] = {}
    for adapter in ("qwen-math-prm", "skywork-o1", "trl"):
        KINDS[adapter](tmp_path / adapter)
        found[adapter] = read_prm(str(tmp_path / adapter)).adapter
    assert found == {name: name for name in found}


def test_a_language_model_must_be_named(tmp_path: Path) -> None:
    math_shepherd(tmp_path)
    with pytest.raises(InputError, match=r"does not say whose, got 'MistralForCausalLM'.*math-shepherd"):
        read_prm(str(tmp_path))


def test_the_wrong_adapter_is_refused(tmp_path: Path) -> None:
    trl(tmp_path)
    with pytest.raises(InputError, match=r"weights are missing, got 'no v_head\.summary\.weight"):
        load_any_prm(str(tmp_path), "skywork-o1")


@pytest.mark.parametrize("labels", [1, 3])
def test_a_head_of_another_number_of_labels_is_no_trl_prm(tmp_path: Path, labels: int) -> None:
    trl(tmp_path)
    add_weights(tmp_path, score__weight=draw(labels, 32), score__bias=draw(labels))
    with pytest.raises(InputError, match=f"another number of labels, got {labels}; expected 2"):
        load_any_prm(str(tmp_path))


@pytest.mark.parametrize(
    ("adapter", "weights"),
    [
        ("skywork-o1", {"v_head__summary__weight": draw(1, 16)}),
        ("skywork-o1", {"v_head__summary__weight": draw(32)}),
        ("skywork-o1", {"v_head__summary__bias": draw(2)}),
        # Two values where one is read: no error of torch, but no score either.
        ("skywork-o1", {"v_head__summary__weight": draw(2, 32), "v_head__summary__bias": draw(2)}),
        ("qwen-math-prm", {"score__0__weight": draw(16, 32), "score__0__bias": draw(16)}),
        ("qwen-math-prm", {"score__2__bias": draw(3)}),
        ("trl", {"score__weight": draw(2, 16)}),
    ],
)
def test_a_head_of_another_shape_is_refused(adapter: Adapter, weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    KINDS[adapter](tmp_path)
    add_weights(tmp_path, **weights)
    with pytest.raises(
        InputError, match=r"the head does not make one logit of a hidden state; .* backbone of width 32"
    ):
        load_any_prm(str(tmp_path))


def test_weights_in_torch_files_score_the_same(tmp_path: Path) -> None:
    expected = skywork(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    torch.save(weights, tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").unlink()
    scorer = TransformersScorer(load_any_prm(str(tmp_path)))
    scores = asyncio.run(scorer.score(StepTree.from_steps(PROBLEM, STEPS), [0, 1, 2]))
    assert scores.values == pytest.approx(expected, abs=1e-5)
