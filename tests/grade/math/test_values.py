import pytest

from prmkit.grade.math.values import value


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("3.5.", "3.5"),
        ("1,000.", "1,000"),
        ("12:00", "12:00"),
        ("5'6\".", "5'6\""),
        ('5".', "5"),
        ("as follows: 5", "5"),
        ("1,234,567.89.", "1,234,567.89"),
        ("-5.", "-5"),
        ("50%.", "50%"),
        ("5°.", "5°"),
        ("$5.00 in all", "$5.00"),
        ("5 apples.", "5 apples"),
        ("5 sq. ft. of wood", "5 sq. ft"),
        ("5 ft. 3 in.", "5 ft. 3 in"),
        ("3 p.m. on Monday", "3 p.m."),
        ("3 p.m. I hope so.", "3 p.m."),
        ("$5$ dollars.", "5 dollars"),
        (r"$\$5$.", r"$\$5$"),
        (r"\$5.50 per hour.", r"\$5.50 per hour"),
        ("2 hours, 5 minutes.", "2 hours, 5 minutes"),
        (".5", ".5"),
        ("> 5", "> 5"),
        ("either 5 or 6.", "5 or 6"),
        ("x=5, y=6.", "x=5, y=6"),
        ("A, C.", "A, C"),
        ("Tuesday, as 3 is 3.", "Tuesday"),
        ("Yes, because 5 > 3.", "Yes"),
        (r"\( \frac{1}{2} \) cm.", r"\frac{1}{2} cm"),
        ("10 in base 7", "10 in base 7"),
        ("5 (mod 7)", "5 (mod 7)"),
        ("(3, 4).", "(3, 4)"),
        ("[2,5).", "[2,5)"),
        ("3 and 4", "3 and 4"),
        ("5 candles and flashlights", "5 candles"),
        ("5 such numbers", "5"),
        (r"$\frac12$, i.e. 50%.", r"$\frac12$"),
        (r"$\sqrt{2}$ ≈ 1.41.", r"$\sqrt{2}$"),
        ("**5** I hope it is correct.", "5"),
        ("$3$ or $4$.", "3 or 4"),
        ("$x=3$ and $y=4$.", "x=3 and y=4"),
        (r"$\frac{1}{2}$.", r"$\frac{1}{2}$"),
        ("2 * 3 * x_1", "2 * 3 * x_1"),
        ("(B).", "(B)"),
        ("option B", "B"),
        ("C because it fits", "C"),
        ("C. The third", "C"),
        ("x = 5", "x = 5"),
        ("Monday.", "Monday"),
        ("no solution.", "no solution"),
        ("all real numbers except 2.", "all real numbers except 2"),
        ("\\begin{pmatrix}\n1\\\\\n2\n\\end{pmatrix}", "\\begin{pmatrix}\n1\\\\\n2\n\\end{pmatrix}"),
    ],
)
def test_the_whole_answer_is_found(text: str, found: str) -> None:
    assert value(text) == value(f": **{text}") == found


@pytest.mark.parametrize("text", [r"\(5", r"$\frac{1", r"\[5", "$$5", r"\begin{pmatrix} 1", "{5", "", "...", "*", "?"])
def test_what_is_cut_or_nothing_is_no_answer(text: str) -> None:
    assert value(text) is None


def test_words_are_an_answer_only_where_they_may_be() -> None:
    assert value("Monday.", in_words=True) == "Monday"
    assert value("Monday.", in_words=False) is None
    assert value("5 apples.", in_words=False) == "5 apples"
    assert value("because it is late.") is None
    assert value("words without a number, a formula or an end that go on " * 2) is None


def test_of_a_sentence_that_stands_alone_the_value_that_it_states_is_the_answer() -> None:
    assert value("There are **6** such numbers.") == "6"
    assert value("John has 180 minutes to nap.") == "180 minutes"
    assert value("The value of $x$ is $5$.\n\nI hope it helps.") == "$5$"
    assert value("John has 3 apples.\nHe buys two more.") == "John has 3 apples"  # a solution begins here
