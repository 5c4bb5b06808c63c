import torch

from prmkit.generate.nucleus import least_kept, surely_kept

LOG = torch.tensor([[0.5, 0.25, 0.15, 0.1]], dtype=torch.float64).log()


def column(value: float) -> torch.Tensor:
    return torch.tensor([[value]], dtype=torch.float64)


def kept(top_p: float, blur: float = 0.0) -> int:
    return int((least_kept(LOG, column(top_p), column(blur)) <= LOG).sum())


def test_the_likeliest_tokens_are_kept_until_they_reach_the_mass() -> None:
    assert [kept(0.01), kept(0.5), kept(0.51), kept(0.75), kept(0.8), kept(0.95)] == [1, 1, 2, 2, 3, 4]


def test_a_token_that_rounding_could_bring_in_is_kept() -> None:
    assert kept(0.5, blur=0.01) == 2
    # Two reach 0.1 + blur, and the third is log(0.25 / 0.15) = 0.511 below the second.
    assert kept(0.1, blur=0.505) == 2
    assert kept(0.1, blur=0.515) == 3


def test_a_token_is_sure_only_if_all_that_come_near_it_may_stand_before_it() -> None:
    def sure(token: int, top_p: float, blur: float) -> bool:
        return bool(surely_kept(LOG[:, token : token + 1], LOG, column(top_p), column(blur)))

    assert [sure(token, 0.8, 0.0) for token in range(4)] == [True, True, True, False]
    # Before the third stand 0.75, and with a blur of log(0.15 / 0.1) = 0.41 the fourth too: 0.85.
    assert sure(2, 0.86 + 0.42, 0.42)
    assert not sure(2, 0.84 + 0.42, 0.42)


def test_where_all_are_nan_none_is_kept() -> None:
    nan = torch.full((1, 3), torch.nan)
    assert not (least_kept(nan, column(0.5), column(0.0)) <= nan).any()
