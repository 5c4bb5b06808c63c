from dataclasses import replace
from html.parser import HTMLParser

from prmkit.attribution import Attribution, StepInfluence, TokenAttribution
from prmkit.attribution.page import attribution_page

HOSTILE = '</code><script>alert("x")</script><img src=x onerror=y>'

FOUND = Attribution(
    problem="1 + 2 ?",
    steps=("a = 1", "b = 2"),
    scores=(0.9, 0.2),
    explained=1,
    tokens=("1", "a", "\n", "b", "\n"),
    step_of=(-1, 0, 0, 1, 1),
    neutral="\n",
    by_token=(
        TokenAttribution(
            method="integrated gradients",
            values=(0.5, -1.0, 0.0, 0.25, 0.0),
            change=-0.24,
            delta=-0.01,
            ablation=-0.7,
            random_ablation=0.1,
        ),
    ),
    by_step=(StepInfluence(method="ablation", matrix=((1.0, 0.5), (0.0, -2.0)), change=(1.1, -1.4), gap=0.1),),
)


class Elements(HTMLParser):
    """Every element and every heat."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.styles: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.styles += [value or "" for name, value in attrs if name == "style"]


def test_heat_is_blue_for_what_raises_and_orange_for_what_lowers() -> None:
    styles = Elements(attribution_page(FOUND, "t")).styles
    assert "background:rgba(0,114,178,0.50)" in styles  # +0.5 of 1.0
    assert "background:rgba(213,94,0,1.00)" in styles  # -1.0 of 1.0, and -2.0 of 2.0


def test_trust_stands_beside_the_attribution() -> None:
    page = attribution_page(FOUND, "t")
    assert "Convergence delta: -0.0100, 4.17 % of what there is to explain." in page
    assert "the logit falls by -0.700, without as many random ones by +0.100" in page
    assert "miss the whole change by at most 0.100" in page


def test_texts_of_models_stay_texts() -> None:
    plain = Elements(attribution_page(FOUND, "t")).tags
    hostile = replace(
        FOUND,
        problem=HOSTILE,
        steps=(HOSTILE, HOSTILE),
        tokens=(HOSTILE,) * 5,
        by_token=tuple(replace(one, method=HOSTILE) for one in FOUND.by_token),
        by_step=tuple(replace(one, method=HOSTILE) for one in FOUND.by_step),
    )
    page = attribution_page(hostile, HOSTILE)
    assert Elements(page).tags == plain
    assert "script" not in Elements(page).tags
    assert "default-src 'none'" in page


def test_scores_before_a_step_are_left_empty() -> None:
    page = attribution_page(FOUND, "t")
    assert page.count("<td></td>") == 1
