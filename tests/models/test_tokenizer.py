from pathlib import Path

import pytest

from prmkit.errors import InputError
from prmkit.models.tokenizer import load_tokenizer
from tests.tiny import tiny_backbone, tiny_bpe_tokenizer, tiny_tokenizer


@pytest.mark.parametrize("make", [tiny_tokenizer, tiny_bpe_tokenizer])
def test_a_tokenizer_comes_back_as_it_was_saved(make, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    # The folder's config says qwen2, for which AutoTokenizer would put Qwen's splitting rules in place of these.
    text = "1 + 2 ? \n We add <|im_end|> 34.\n"
    tokenizer = make()
    loaded = load_tokenizer(tiny_backbone(tmp_path, tokenizer=tokenizer))
    assert loaded(text)["input_ids"] == tokenizer(text)["input_ids"]
    assert (
        loaded(text, split_special_tokens=True)["input_ids"] == tokenizer(text, split_special_tokens=True)["input_ids"]
    )
    assert (loaded.pad_token_id, loaded.eos_token_id) == (tokenizer.pad_token_id, tokenizer.eos_token_id)


def test_a_model_without_tokenizer_is_refused(tmp_path: Path) -> None:
    name = tiny_backbone(tmp_path)
    for file in tmp_path.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(InputError, match="the model has no tokenizer"):
        load_tokenizer(name)
