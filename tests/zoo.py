"""Tiny random models of every causal architecture that transformers knows, by one rule and a few exceptions.

    config = tiny_config("mistral")               # two layers, width 64, a window of 8
    model = tiny_lm("mistral", seed=1)            # a causal LM whose parts all count
    name = tiny_folder("mistral", tmp_path / "m")   # with the tests' tokenizer

``ARCHITECTURES`` are the model types that can be made, ``VARIANTS`` settings of some that deserve a name of their own,
and ``LEFT_OUT`` the other model types with what they are instead.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from tests.tiny import tiny_tokenizer

CONTEXT = 256
"""Tokens that every model reads."""

WINDOW = 8
"""Tokens that a layer with a sliding window sees."""

VOCABULARY = 128

_ROPE = {"rope_type": "default", "rope_theta": 10000.0}

_HIDDEN, _WIDE, _NARROW, _HEADS, _KV_HEADS, _HEAD = 64, 128, 32, 4, 2, 16

_SIZES: tuple[tuple[int, str], ...] = (
    (_HIDDEN, "hidden_size n_embd d_model embedding_dim word_embed_proj_dim lru_width"),
    (
        _WIDE,
        "intermediate_size ffn_dim dff dim_ff ffn_hidden_size dense_intermediate_size intermediate_size_mlp "
        "mamba_d_ssm",
    ),
    (
        _NARROW,
        "moe_intermediate_size shared_expert_intermediate_size shared_intermediate_size expert_ffn_hidden_size "
        "moe_shared_expert_intermediate_size block_multiple_of router_hidden_size",
    ),
    (VOCABULARY, "vocab_size vocab_size_per_layer_input ngram_vocab_size_base encoder_hash_byte_group_vocab"),
    (CONTEXT, "max_position_embeddings n_positions n_ctx max_seq_len model_max_length context_length keep_window_size"),
    (
        WINDOW,
        "sliding_window window_size attention_window_size attention_chunk_size sliding_window_size local_attention",
    ),
    (
        _HEADS,
        "num_attention_heads n_head n_heads attention_heads num_heads swa_num_attention_heads "
        "num_experts n_routed_experts num_local_experts moe_num_experts linear_num_value_heads linear_num_heads "
        "index_topk index_block_size n_mamba_heads ssm_state_size mamba_d_state state_size "
        "zero_expert_num",
    ),
    (
        _KV_HEADS,
        "num_key_value_heads num_kv_heads swa_num_key_value_heads linear_num_key_heads num_experts_per_tok "
        "num_experts_per_token moe_topk moe_k n_group n_groups mamba_n_groups mamba_ngroups num_expert_group "
        "index_topk_blocks o_groups",
    ),
    (
        _HEAD,
        "head_dim kv_channels swa_head_dim dim_head linear_key_head_dim linear_value_head_dim "
        "linear_head_dim index_head_dim index_n_heads kv_lora_rank q_lora_rank qk_head_dim v_head_dim o_lora_rank "
        "hidden_size_per_layer_input laurel_rank mamba_d_head mamba_head_dim hc_lowrank adapter_rank "
        "query_pre_attn_scalar dim_model_base",
    ),
    (
        8,
        "qk_nope_head_dim qk_rope_head_dim rotary_dim mamba_n_heads mamba_num_heads time_step_rank mamba_dt_rank "
        "mamba_chunk_size chunk_size",
    ),
    (1, "first_k_dense_replace num_dense_layers topk_group moe_layer_start_index n_shared_experts"),
)

_NEEDED = ("head_dim", "n_routed_experts", "num_experts_per_tok", "num_key_value_heads")
"""Sizes that a default config may leave open."""

_LAYERS = "num_hidden_layers n_layer n_layers num_layers num_blocks"


def tiny_config(name: str) -> PretrainedConfig:
    """The config of a model type, or of a variant, in which each kind of layer that it has occurs."""
    model_type, changes = VARIANTS.get(name, (name, {}))
    usual = AutoConfig.for_model(model_type).to_dict()
    values = {
        key: size
        for size, keys in _SIZES
        for key in keys.split()
        if usual.get(key) or (key in _NEEDED and key in usual)
    }
    kinds = {
        key: _kinds(usual[key]) for key in ("layer_types", "layers_block_type", "mlp_layer_types") if usual.get(key)
    }
    layers = max([2, *(len(each) for each in kinds.values())])
    values |= {key: layers for key in _LAYERS.split() if usual.get(key)}
    values |= {key: [*each, *[each[-1]] * (layers - len(each))] for key, each in kinds.items()}
    if usual.get("rope_parameters"):
        values["rope_parameters"] = _short(usual["rope_parameters"])
    if usual.get("kv_lora_rank"):  # latent attention: every head has its own keys, and the parts say how wide
        values |= {"num_key_value_heads": _HEADS, "head_dim": values["qk_rope_head_dim"]}
    values |= _tokens(usual)
    values |= _EXCEPTIONS.get(model_type, {}) | changes
    config: PretrainedConfig = AutoConfig.for_model(model_type, **values)
    return config


def _kinds(of_layers: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(of_layers))


def _short(rope: dict[str, Any]) -> dict[str, Any]:
    """Rotary parameters for texts that are longer than the original context, though they are short."""
    return {
        key: _short(value)
        if isinstance(value, dict)
        else CONTEXT // 16
        if key == "original_max_position_embeddings"
        else value
        for key, value in rope.items()
    }


def _tokens(usual: dict[str, Any]) -> dict[str, int]:
    """Special tokens that ``tiny_tokenizer`` has."""
    places = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 1}
    return {
        key: places.get(key, 2)
        for key, value in usual.items()
        if key in places or (key.endswith("_token_id") and value)
    }


_EXCEPTIONS: dict[str, dict[str, Any]] = {
    "bamba": {"attn_layer_indices": [1]},
    "cohere_compass_text": {
        "layer_types": ["sliding_attention", "full_attention"],
        "rope_parameters": {"sliding_attention": _ROPE | {"mrope_section": [2, 3, 3]}, "full_attention": None},
    },
    "dbrx": {
        "attn_config": {"kv_n_heads": 2, "rope_theta": 10000.0, "clip_qkv": 8.0},
        "ffn_config": {"hidden_size": _HIDDEN, "ffn_hidden_size": _NARROW, "moe_num_experts": 4, "moe_top_k": 2},
    },
    "deepseek_v4": {
        "layer_types": ["sliding_attention", "heavily_compressed_attention", "compressed_sparse_attention"],
        "mlp_layer_types": ["hash_moe", "moe", "moe"],
        "num_hidden_layers": 3,
        "compress_rates": {"compressed_sparse_attention": 2, "heavily_compressed_attention": 4},
    },
    "dots1": {"n_shared_experts": 1, "layer_types": ["full_attention", "sliding_attention"]},
    "gemma3n_text": {
        "num_hidden_layers": 4,
        "layer_types": ["sliding_attention", "full_attention"] * 2,
        "num_kv_shared_layers": 2,
        "intermediate_size": _WIDE,
        "activation_sparsity_pattern": [0.5, 0.0, 0.0, 0.0],
    },
    "gemma4_text": {"per_layer_config": {"1": {"head_dim": 32}}},
    "gemma4_unified_text": {"per_layer_config": {"1": {"head_dim": 32}}, "use_bidirectional_attention": None},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "granitemoehybrid": {"layer_types": ["linear_attention", "full_attention"]},
    "hy_v4": {"indexer_types": ["full", "shared"]},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1},
    "laguna": {"layer_types": ["full_attention", "sliding_attention"]},
    "lfm2": {"layer_types": ["conv", "full_attention"]},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"]},
    "llama4_text": {
        "no_rope_layers": [1, 0],
        "moe_layers": [1],
        "layer_types": ["chunked_attention", "full_attention"],
        "floor_scale": 8,
    },
    "mamba2": {"num_heads": 8},
    "mellum": {"layer_types": ["full_attention", "sliding_attention"]},
    "minimax_m3_vl_text": {
        "index_n_heads": _HEADS,
        "layer_types": ["full_attention", "minimax_m3_sparse"],
        "mlp_layer_types": ["dense", "sparse"],
    },
    "qwen4_exp_text": {
        "indexer_n_heads": 2,
        "indexer_kv_heads": 1,
        "indexer_head_dim": 16,
        "indexer_budget": 8,
        "indexer_compress_ratio": 4,
    },
    "recurrent_gemma": {"num_hidden_layers": 3},
    "smollm3": {"no_rope_layers": [1, 0]},
    "zamba": {
        "num_hidden_layers": 3,
        "layers_block_type": ["linear_attention", "hybrid", "hybrid"],
    },
    "zamba2": {"num_key_value_heads": _HEADS},
    "zaya": {"num_experts_per_tok": 1, "layer_types": ["hybrid", "hybrid_sliding"], "sliding_window": WINDOW},
}
"""What one rule for all does not say."""

_WINDOW = {
    "use_sliding_window": True,
    "sliding_window": WINDOW,
    "layer_types": ["full_attention", "sliding_attention"],
}

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama, tied embeddings": ("llama", {"tie_word_embeddings": True}),
    "llama, llama3 rope": (
        "llama",
        {
            "rope_parameters": _ROPE
            | {
                "rope_type": "llama3",
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": CONTEXT // 16,
            }
        },
    ),
    "llama, yarn": (
        "llama",
        {
            "rope_parameters": _ROPE
            | {"rope_type": "yarn", "factor": 16.0, "original_max_position_embeddings": CONTEXT // 16}
        },
    ),
    "llama, dynamic rope": (
        "llama",
        {"rope_parameters": _ROPE | {"rope_type": "dynamic", "factor": 2.0}},
    ),
    "mistral, no window": ("mistral", {"sliding_window": None}),
    "mistral, window of the context": ("mistral", {"sliding_window": CONTEXT}),
    "mixtral, window": ("mixtral", {"sliding_window": WINDOW}),
    "phi3, window": ("phi3", {"sliding_window": WINDOW}),
    "phi3, long rope": (
        "phi3",
        {
            "original_max_position_embeddings": CONTEXT // 16,
            "rope_parameters": _ROPE
            | {
                "rope_type": "longrope",
                "short_factor": [1.0] * (_HEAD // 2),
                "long_factor": [1.0, 1.5, 2.0, 3.0, 4.0, 8.0, 16.0, 32.0],
                "original_max_position_embeddings": CONTEXT // 16,
            },
        },
    ),
    "qwen2, tied embeddings": ("qwen2", {"tie_word_embeddings": True}),
    "qwen2, window": ("qwen2", _WINDOW | {"max_window_layers": 1}),
    "qwen3, window": ("qwen3", _WINDOW | {"max_window_layers": 1}),
    "smollm3, window": ("smollm3", _WINDOW),
    "starcoder2, window": ("starcoder2", {"sliding_window": WINDOW}),
}
"""Settings of an architecture that deserve a row of their own: its model type, and what differs."""

_ENCODERS = (
    "bert bert-generation big_bird camembert data2vec-text electra ernie megatron-bert rembert roberta "
    "roberta-prelayernorm roc_bert roformer xlm xlm-roberta xlm-roberta-xl xlnet xmod"
)

_ENCODER_DECODERS = (
    "bart bigbird_pegasus blenderbot blenderbot-small marian mbart musicgen musicgen_melody mvp pegasus plbart "
    "prophetnet trocr whisper"
)

_WRAPPED = "reads more than text; its language model is {}"

LEFT_OUT: dict[str, str] = {
    **dict.fromkeys(_ENCODERS.split(), "an encoder, which reads both ways"),
    **dict.fromkeys(_ENCODER_DECODERS.split(), "an encoder with a decoder"),
    "emu3": _WRAPPED.format("emu3_text_model"),
    "fuyu": _WRAPPED.format("persimmon"),
    "gemma3": _WRAPPED.format("gemma3_text"),
    "gemma3n": _WRAPPED.format("gemma3n_text"),
    "gemma4": _WRAPPED.format("gemma4_text"),
    "gemma4_unified": _WRAPPED.format("gemma4_unified_text"),
    "got_ocr2": _WRAPPED.format("qwen2"),
    "llama4": _WRAPPED.format("llama4_text"),
    "mllama": _WRAPPED.format("mllama_text_model"),
    "qwen3_5": _WRAPPED.format("qwen3_5_text"),
    "qwen3_5_moe": _WRAPPED.format("qwen3_5_moe_text"),
    "qwen4_exp": _WRAPPED.format("qwen4_exp_text"),
    "git": "reads images before the text",
    "moshi": "reads and writes speech",
    "phi4_multimodal": "reads images and speech, in one model",
    "gemma4_assistant": "drafts for another model, whose key-values it reads",
    "gemma4_unified_assistant": "drafts for another model, whose key-values it reads",
    "blt": "reads bytes, in patches that a second model cuts",
    "cpmant": "reads the text both ways, and writes behind it",
    "reformer": "attends by hashes that are drawn anew each time",
}
"""The other names of transformers' table of causal models, and what they are instead."""

ARCHITECTURES = sorted(set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES) - set(LEFT_OUT))


def tiny_lm(name: str, seed: int = 0) -> PreTrainedModel:
    """A causal LM in float32 and evaluation mode. Its weights are so large that what a layer does or sees shows in its
    output.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model: PreTrainedModel = AutoModelForCausalLM.from_config(tiny_config(name), dtype=torch.float32)
        stir(model)
    return model.eval()


@torch.no_grad()
def stir(model: torch.nn.Module) -> None:
    """Draw matrices anew with a deviation of 0.2, and move everything else by 0.1."""
    for parameter in model.parameters():
        if parameter.ndim >= 2:
            parameter.normal_(std=0.2)
        else:
            parameter.add_(torch.randn_like(parameter), alpha=0.1)


def tiny_folder(name: str, folder: Path, seed: int = 0, tokenizer: PreTrainedTokenizerBase | None = None) -> str:
    """The name of a new folder with ``tiny_lm`` and a tokenizer, by default ``tiny_tokenizer``."""
    tiny_lm(name, seed).save_pretrained(folder)
    (tokenizer or tiny_tokenizer()).save_pretrained(folder)
    return str(folder)
