import pytest

from prmkit.errors import InputErrors
from prmkit.search.options import StrategyConfig, bind_strategy, split_evenly, takes


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "best-of-n",
            {"n": 0},
            "best-of-n: illegal strategy.options.n, got 0; expected greater than or equal to 1",
        ),
        ("majority", {"n": 1}, "got 1; expected greater than or equal to 2. Here a vote needs at least two"),
        ("majority", {}, "missing strategy.options.n"),
        ("beam", {"n": 4, "beams": 2}, "unknown strategy.options.beams, got 2; expected one of n, width, score"),
        ("beam", {"n": 4, "score": "lats"}, "illegal strategy.options.score, got 'lats'; expected 'last', 'min'"),
        ("mcts", {"n": 4, "c": -1.0}, "illegal strategy.options.c"),
        ("greedy", {"n": "many"}, "illegal strategy.options.n, got 'many'; expected a valid integer"),
    ],
)
def test_options_are_checked_before_anything_runs(
    name: str, options: dict[str, bool | int | float | str], message: str
) -> None:
    with pytest.raises(InputErrors, match=message.replace("(", r"\(")):
        bind_strategy(StrategyConfig(name=name, options=options))


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(InputErrors) as error:
        bind_strategy(StrategyConfig(name="beam", options={"n": 0, "width": 0, "depth": 3}))
    assert len(error.value.errors) == 3


def test_what_a_strategy_takes() -> None:
    assert takes("beam", "width")
    assert not takes("majority", "width")


def test_an_even_split() -> None:
    assert split_evenly(16, 4, where="x") == 4
