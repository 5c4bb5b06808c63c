from prmkit.segment.tokens import tokens


def test_only_the_number_of_tokens_ends_a_step() -> None:
    segmenter = tokens("\n", length=64)
    assert (segmenter.tokens, segmenter.stops) == (64, ())
    assert segmenter.end("a\n\nb\n\nc") is None
