"""Gold answers and answers, and which of the two stricter and laxer graders calls them the same."""

PAIRS = [
    # gold, answer, PRM800K, Qwen
    ("1/2", "\\frac{1}{2}", True, True),
    ("\\frac{1}{2}", "\\frac12", True, True),
    ("\\frac{1}{2}", "\\frac{2}{4}", False, True),  # PRM800K: a fraction must be reduced
    ("4", "2^2", False, True),  # PRM800K: an integer must be written as one
    ("x+1", "1+x", True, True),
    ("(1,2)", "[1,2]", False, True),  # brackets count there, and not with Qwen
    ("(1,2)", "(1, 2)", True, True),
    ("(1,2)", "(2,1)", False, False),
    ("50", "0.5", False, True),  # Qwen: percent
    ("1000", "1,000", True, True),
    ("10\\text{ cm}", "10", True, True),
    ("3", "x=3", True, True),
    ("\\sqrt{3}", "\\sqrt3", True, True),
    ("3", "4", False, False),
    ("B", "The answer is (B)", False, True),
]
