"""A small random model of the kind of a large one: every kind of layer that it has, windows of a few tokens.

What holds in it holds by how the architecture computes, not by what it was taught; so it is tried in milliseconds.
"""

from collections.abc import Iterable
from typing import Any

import torch
from transformers import AutoModel, PretrainedConfig, PreTrainedModel

from prmkit.models.context import settle_rope

CONTEXT = 256
"""Tokens that a small model reads."""

WINDOW = 8
"""Tokens that a layer with a sliding window sees, or that stand in a chunk."""

VOCABULARY = 128

ORIGINAL = 16
"""The original context of a model whose context was stretched."""

_HIDDEN, _WIDE, _NARROW, _HEADS, _KV_HEADS, _HEAD = 64, 128, 32, 4, 2, 16
_ROPE = {"rope_type": "default", "rope_theta": 10000.0}

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


def likeness(config: PretrainedConfig, **changes: Any) -> PretrainedConfig:
    """The config of a small model of the same kind, in which each kind of layer occurs.

    Args:
        config: of the real one.
        changes: what is to be otherwise.
    """
    usual = config.to_dict()
    values: dict[str, Any] = {
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
    if usual.get("original_max_position_embeddings"):
        values["original_max_position_embeddings"] = ORIGINAL
    if usual.get("kv_lora_rank"):  # latent attention: every head has its own keys, and the parts say how wide
        values |= {"num_key_value_heads": _HEADS, "head_dim": values["qk_rope_head_dim"]}
    values |= _tokens(usual)
    values |= _EXCEPTIONS.get(config.model_type, {}) | changes
    small: PretrainedConfig = type(config).from_dict(usual | values)
    return small


def twin(small: PretrainedConfig, *, seed: int = 0, kind: Any = AutoModel) -> PreTrainedModel:
    """A model of a small config in float32 and evaluation mode, with weights so large that what a layer does or sees
    shows in its output.

    Args:
        small: a config.
        seed: of the weights.
        kind: one of transformers' Auto classes; default: a backbone, without an LM head.
    """
    torch.manual_seed(seed)
    model: PreTrainedModel = kind.from_config(small, dtype=torch.float32)
    stir(model)
    settle_rope(model, CONTEXT)
    model.eval()
    return model


@torch.no_grad()
def stir(model: torch.nn.Module) -> None:
    """Draw matrices anew with a deviation of 0.2, and move vectors, stored buffers among them, by 0.1."""
    trained = dict(model.named_parameters())
    for name, value in model.state_dict().items():
        if value.ndim >= 2 and name in trained:
            value.normal_(std=0.2)
        elif value.ndim < 2 and value.is_floating_point():
            value.add_(torch.randn_like(value), alpha=0.1)


def _kinds(of_layers: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(of_layers))


def _short(rope: dict[str, Any]) -> dict[str, Any]:
    """Rotary parameters for texts that are longer than the original context, though they are short."""
    width = int(_HEAD * rope.get("partial_rotary_factor", 1.0)) // 2
    short: dict[str, Any] = {}
    for key, value in rope.items():
        if isinstance(value, dict):
            short[key] = _short(value)
        elif key == "original_max_position_embeddings":
            short[key] = ORIGINAL
        elif key in ("short_factor", "long_factor"):  # a factor for each angle: some of them, from first to last
            short[key] = [value[index * (len(value) - 1) // max(width - 1, 1)] for index in range(width)]
        else:
            short[key] = value
    return short


def _tokens(usual: dict[str, Any]) -> dict[str, int]:
    """Special tokens within the small vocabulary."""
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
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "attention_layers": ["global", "local"]},
    "granitemoehybrid": {"layer_types": ["linear_attention", "full_attention"]},
    "hy_v4": {"indexer_types": ["full", "shared"]},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1},
    "laguna": {"layer_types": ["full_attention", "sliding_attention"], "num_attention_heads_per_layer": [_HEADS] * 2},
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
    "hrm_text": {"num_layers_per_stack": 1},
    "rwkv": {"attention_hidden_size": _HIDDEN},
    "recurrent_gemma": {"num_hidden_layers": 3},
    "smollm3": {"no_rope_layers": [1, 0]},
    "zamba": {
        "num_hidden_layers": 3,
        "layers_block_type": ["linear_attention", "hybrid", "hybrid"],
        "attention_hidden_size": 2 * _HIDDEN,
        "attention_head_dim": 2 * _HEAD,
    },
    "zamba2": {
        "num_key_value_heads": _HEADS,
        "n_mamba_heads": 8,
        "mamba_headdim": _HEAD,
        "attention_hidden_size": 2 * _HIDDEN,
        "attention_head_dim": 2 * _HEAD,
        "hybrid_layer_ids": [1],
    },
    "zaya": {"num_experts_per_tok": 1, "layer_types": ["hybrid", "hybrid_sliding"], "sliding_window": WINDOW},
}
"""What one rule for all does not say."""
