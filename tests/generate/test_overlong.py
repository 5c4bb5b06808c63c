import pytest

from prmkit.generate.overlong import Sizes, sizes_told

TOLD = {
    "OpenAI, chat": (
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens. "
        "Please reduce the length of the messages.",
        Sizes(8192, 9000),
    ),
    "OpenAI, completions": (
        "This model's maximum context length is 4097 tokens, however you requested 4200 tokens (200 in your "
        "prompt; 4000 for the completion). Please reduce your prompt; or completion length.",
        Sizes(4097, 200),
    ),
    "OpenAI, of late": (
        "Your input exceeds the context window of this model. Please adjust your input and try again.",
        Sizes(None, None),
    ),
    "vLLM": (
        "This model's maximum context length is 16384 tokens. However, you requested 22946 tokens (12946 in "
        "the messages, 10000 in the completion). Please reduce the length of the messages or completion.",
        Sizes(16384, 12946),
    ),
    "vLLM 0.9": (
        "'max_tokens' or 'max_completion_tokens' is too large: 1000. This model's maximum context length is "
        "2048 tokens and your request has 1500 input tokens (1000 > 2048 - 1500).",
        Sizes(2048, 1500),
    ),
    "vLLM 0.18": (
        "You passed 31745 input tokens and requested 1024 output tokens. However, the model's context length "
        "is only 32768 tokens, resulting in a maximum input length of 31744 tokens. Please reduce the length "
        "of the input prompt.",
        Sizes(32768, 31745),
    ),
    "vLLM, cut": (
        "This model's maximum context length is 51200 tokens. However, you requested 12054 output tokens and "
        "your prompt contains at least 39147 input tokens, for a total of at least 51201 tokens.",
        Sizes(51200, None),
    ),
    "vLLM, decoder": (
        "The decoder prompt (length 2049) is longer than the maximum model length of 2048. Make sure that "
        "`max_model_len` is no smaller than the number of text tokens.",
        Sizes(2048, 2049),
    ),
    "SGLang, prompt": (
        "The input (691793 tokens) is longer than the model's context length (540000 tokens).",
        Sizes(540000, 691793),
    ),
    "SGLang": (
        "Requested token count exceeds the model's maximum context length of 64000 tokens. You requested a "
        "total of 71897 tokens: 7897 tokens from the input messages and 64000 tokens for the completion.",
        Sizes(64000, 7897),
    ),
    "TGI": (
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048. Given: 1000 `inputs` "
        "tokens and 2000 `max_new_tokens`",
        Sizes(2048, 1000),
    ),
    "TGI, prompt": (
        "Input validation error: `inputs` must have less than 1024 tokens. Given: 2000",
        Sizes(None, None),
    ),
    "llama.cpp": (
        '{"error": {"code": 400, "message": "the request exceeds the available context size. try increasing '
        'the context size or enable context shift", "type": "exceed_context_size_error", "n_prompt_tokens": '
        '1407, "n_ctx": 256}}',
        Sizes(256, 1407),
    ),
    "llama.cpp, words": (
        "request (5000 tokens) exceeds the available context size (4096 tokens), try increasing it",
        Sizes(4096, 5000),
    ),
    "Ollama": (
        "prompt too long; exceeded max context length by 4096 tokens",
        Sizes(None, None),
    ),
    "Mistral": (
        "Prompt contains 65673 tokens, too large for model with 32768 maximum context length",
        Sizes(32768, 65673),
    ),
    "Anthropic": (
        "prompt is too long: 215000 tokens > 200000 maximum",
        Sizes(200000, 215000),
    ),
    "Gemini": (
        "The input token count (1196265) exceeds the maximum number of tokens allowed (1048575).",
        Sizes(None, None),
    ),
    "xAI": (
        "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
        Sizes(None, None),
    ),
    "Groq": (
        "Please reduce the length of the messages or completion.",
        Sizes(None, None),
    ),
}


@pytest.mark.parametrize(("said", "sizes"), TOLD.values(), ids=TOLD)
def test_every_server_is_understood(said: str, sizes: Sizes) -> None:
    assert sizes_told(400, said) == sizes


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "max_completion_tokens is too large: 100000. This model supports at most 64000 completion tokens."),
        (400, "Unsupported parameter: 'max_tokens' is not supported with this model."),
        (400, "Invalid 'stop': array too long. Expected an array with maximum length 4."),
        (429, "Rate limit reached: 30000 tokens per minute. Please reduce the length of your prompt."),
        (503, "The context length probe failed"),
        (500, "internal error"),
    ],
)
def test_what_is_about_something_else_is_not_taken_for_it(status: int, said: str) -> None:
    assert sizes_told(status, said) is None


@pytest.mark.parametrize(
    ("sizes", "limit", "fewer"),
    [
        (Sizes(100, 90), 50, 10),
        (Sizes(100, 99), 2, 1),
        (Sizes(100, 100), 50, 0),
        (Sizes(100, 120), 50, -20),
        (Sizes(100, 90), 10, 9),  # SGLang, which counts one more
        (Sizes(100, 90), 5, 2),  # its numbers are of no use
        (Sizes(100, None), 9, 4),
        (Sizes(None, None), 1, 0),
    ],
)
def test_so_many_are_asked_for_next(sizes: Sizes, limit: int, fewer: int) -> None:
    assert sizes.fewer_than(limit) == fewer
