import pytest
from transformers import Qwen2Config

from prmkit.models.flops import ForwardFlops
from prmkit.packing.batch import collate
from prmkit.train.flops import pretraining_flops, training_flops
from tests.tiny import path_tree, tiny_encoder, tree_rows
from tests.train.test_losses import forked

COST = ForwardFlops(per_token=10.0, per_pair=1.0, per_read=100.0)


def test_a_path_costs_three_forward_passes() -> None:
    batch = collate(tree_rows(path_tree("1 ?", [("1", 1.0)]), tiny_encoder(), 64).rows)
    assert (batch.tokens, batch.pairs) == (5, 15)  # "1 ? \n", "1 \n": token i sees i
    assert training_flops(batch, COST, backbone="trained") == 3 * (50 + 15 + 100)
    assert training_flops(batch, COST, backbone="adapted") == 2 * 50 + 3 * 15 + 300
    assert training_flops(batch, COST, backbone="read") == 50 + 15 + 300


def test_a_packed_tree_pays_for_what_its_tokens_attend_to() -> None:
    batch = collate(tree_rows(forked(), tiny_encoder(), 64, budget=64).rows)
    # Problem 3 tokens, step 2, two leaves of 2: 15 pairs up to the fork, then 6 + 7 for each leaf.
    assert (batch.tokens, batch.pairs) == (9, 15 + 2 * 13)


def test_pretraining_is_six_operations_a_parameter_and_token() -> None:
    config = Qwen2Config(
        vocab_size=10,
        hidden_size=4,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
    )
    # Embedding 40; q 16 + 4, k and v 8 + 2 each, o 16; MLP 96; three norms of 4.
    parameters = 40 + 20 + 20 + 16 + 96 + 12
    assert pretraining_flops("Qwen/Qwen2.5-7B-Instruct", config) == pytest.approx(6 * parameters * 18e12)
    assert pretraining_flops("Qwen/Qwen2.5-Math-7B", config) == pytest.approx(6 * parameters * 19e12)
    assert pretraining_flops("someone/else", config) is None
