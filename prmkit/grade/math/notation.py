r"""One spelling for what LaTeX, Unicode and plain text write in many: the text that answers are read from.

``\dfrac{1}{2}``, ``\frac12`` and ``½`` are ``\frac{1}{2}``; ``\left(1,\,2\right)`` and ``（1，2）`` are ``(1,2)``;
``\textbf{yes}`` is ``yes``, ``\textcolor{blue}{42}`` is ``42``, ``60^\circ`` is ``60°``. Nothing here knows what an
answer means, and every pass is linear.
"""

import re
import unicodedata


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱˣ", "0123456789+-()nix", strict=True))
_SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋₍₎ₙₓₐᵢₖ", "0123456789+-()nxaik", strict=True))
_GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "θ": "theta", "λ": "lambda", "μ": "mu",
    "π": "pi", "ρ": "rho", "σ": "sigma", "τ": "tau", "φ": "phi", "ϕ": "phi", "χ": "chi", "ψ": "psi", "ω": "omega",
    "Γ": "Gamma", "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda", "Σ": "Sigma", "Φ": "Phi", "Ψ": "Psi", "Ω": "Omega",
}  # fmt: skip
_SYMBOLS = {
    **{symbol: f"\\{name} " for symbol, name in _GREEK.items()},
    **dict.fromkeys("−–—‐‑‒﹣", "-"),
    **dict.fromkeys("×✕⨯∗", r"\cdot "),
    **dict.fromkeys("·∙⋅•", r"\cdot "),
    **dict.fromkeys("÷∕⁄", "/"),
    **dict.fromkeys("≤⩽≦", r"\le "),
    **dict.fromkeys("≥⩾≧", r"\ge "),
    **dict.fromkeys("≈≃≅", r"\approx "),
    **dict.fromkeys("…⋯", "..."),
    **dict.fromkeys("∅⌀", r"\emptyset "),
    **dict.fromkeys("′’‘", "'"),
    **dict.fromkeys("″”“", '"'),
    **dict.fromkeys("º˚", "°"),
    **dict.fromkeys("、，", ","),
    **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad\u2061\u2062\u2063", ""),
    "≠": r"\ne ", "±": r"\pm ", "∓": r"\mp ", "∞": r"\infty ", "∈": r"\in ", "∪": r"\cup ", "∩": r"\cap ",
    "∖": r"\setminus ", "√": r"\sqrt ", "∛": r"\sqrt[3] ", "ℝ": r"\mathbb{R}", "ℤ": r"\mathbb{Z}", "ℕ": r"\mathbb{N}",
    "ℚ": r"\mathbb{Q}", "ℂ": r"\mathbb{C}", "→": r"\to ", "∠": r"\angle ", "△": r"\triangle ", "∣": "|", "。": ".",
    "℃": "°C", "℉": "°F", "％": "%", "＄": r"\$", "∑": r"\sum ", "∫": r"\int ", "∧": r"\land ", "∨": r"\lor ",
}  # fmt: skip

_WRITTEN: dict[str, str] = {
    **dict.fromkeys(("dfrac", "tfrac", "cfrac"), r"\frac"),
    **dict.fromkeys(("dbinom", "tbinom"), r"\binom"),
    **dict.fromkeys(("leq", "leqslant", "leqq"), r"\le "),
    **dict.fromkeys(("geq", "geqslant", "geqq"), r"\ge "),
    **dict.fromkeys(("neq",), r"\ne "),
    **dict.fromkeys(("times", "ast", "cdotp", "bullet"), r"\cdot "),
    **dict.fromkeys(("approxeq", "simeq", "cong", "thickapprox"), r"\approx "),
    **dict.fromkeys(("ldots", "dots", "cdots", "dotsc", "dotsb", "dotso", "hdots"), "..."),
    **dict.fromkeys(("varnothing",), r"\emptyset "),
    **dict.fromkeys(("degree", "textdegree", "degrees"), "°"),
    **dict.fromkeys(("lbrace",), r"\{"),
    **dict.fromkeys(("rbrace",), r"\}"),
    **dict.fromkeys(("lbrack",), "["),
    **dict.fromkeys(("rbrack",), "]"),
    **dict.fromkeys(("lparen", "lgroup"), "("),
    **dict.fromkeys(("rparen", "rgroup"), ")"),
    **dict.fromkeys(("vert", "lvert", "rvert", "mid"), "|"),
    **dict.fromkeys(("colon", "ratio"), ":"),
    **dict.fromkeys(("prime",), "'"),
    **dict.fromkeys(("bar",), r"\overline"),
    **dict.fromkeys(("smallsetminus", "backslash"), r"\setminus "),
    **dict.fromkeys(("div",), "/"),
    **dict.fromkeys(("quad", "qquad", "enspace", "enskip", "thinspace", "medspace", "thickspace", "space"), " "),
    **dict.fromkeys(("lor", "vee"), " or "),
    **dict.fromkeys(("land", "wedge"), " and "),
    **dict.fromkeys(("pounds", "textsterling", "mathsterling"), "£"),
    **dict.fromkeys(("euro", "texteuro"), "€"),
    **dict.fromkeys(("textdollar",), "$"),
    **dict.fromkeys(("percent", "textpercent"), "%"),
    **dict.fromkeys(("epsilon", "varepsilon"), r"\epsilon "),
    **dict.fromkeys(("phi", "varphi"), r"\phi "),
    **dict.fromkeys(("theta", "vartheta"), r"\theta "),
}
_NOTHING = _set(
    """left right middle big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr bigm displaystyle textstyle
    scriptstyle limits nolimits rm bf it sf tt cal mathstrut strut allowbreak nobreak negthinspace hfill hfil noindent
    centering normalsize large Large small tiny boldmath unboldmath rightarrow Rightarrow therefore implies"""
)
_WORDS = _set("""text textbf textit textrm textnormal textsf texttt textup textsc textsl textmd emph mbox hbox mathrm rm
    operatorname mathop""")
_STYLES = _set("boldsymbol mathbf bm pmb mathit mathsf mathtt mathnormal mathcal underline boxed fbox ensuremath uline")
_DROPPED_ARGUMENT = _set("hspace vspace phantom hphantom vphantom mspace kern color label tag")
_COLOURED = _set("textcolor colorbox")
"""Commands whose first argument is a colour."""

_GROUPS = re.compile(r",\s*\\!\s*(?=\d)")
"""A comma between groups of digits: 111,\\!111."""
_NO_DELIMITER = re.compile(r"\\(?:left|right)\s*\.")
_TOKEN = re.compile(r"\\([a-zA-Z]+)\*?|\\(.)|([{}])|([^\\{}]+)|\\", re.DOTALL)
_ARGUMENT = re.compile(r"\s*\{[^{}]*\}")
_OPENING = re.compile(r"\s*\{")
_SPACES = frozenset(",;:> ")


def plain(answer: str) -> str:
    """The answer in one spelling, without styling; spaces are single and stand where they may mean something."""
    text = _undelimited(answer.strip())
    text = _commands(_characters(_NO_DELIMITER.sub(" ", _GROUPS.sub(",", text))))
    for pattern, replacement in _SPELLINGS:
        text = pattern.sub(replacement, text)
    text = text.strip(" ,;")
    return text if text.endswith("...") else text.removesuffix(".").rstrip()


def compact(text: str) -> str:
    """A plain text without its spaces, save between digits (1 3/4 is not 13/4): compared where only the text is."""
    return re.sub(r"\s+(?!\d)|(?<!\d)\s+", "", text.strip())


def _undelimited(text: str) -> str:
    r"""Without Markdown's stars and backticks around it, nor ``$``, ``\(`` and ``\[`` of mathematics within."""
    text = text.replace("\\(", " ").replace("\\)", " ").replace("\\[", " ").replace("\\]", " ").strip()
    for mark in ("**", "__", "`", "*"):
        if len(text) > 2 * len(mark) and text.startswith(mark) and text.endswith(mark):
            text = text[len(mark) : -len(mark)].strip()
    dollars = re.findall(r"(?<!\\)\$", text)
    return re.sub(r"(?<!\\)\$", " ", text) if len(dollars) % 2 == 0 else text


_POWER = re.compile(f"[{''.join(_SUPERSCRIPTS)}]+")
_INDEX = re.compile(f"[{''.join(_SUBSCRIPTS)}]+")
_ROOT = re.compile(r"([√∛])\s*(\d+(?:\.\d+)?)")
_OVERLINED = re.compile(r"((?:\d\u0305)+)")


def _characters(text: str) -> str:
    if text.isascii():
        return text
    text = _OVERLINED.sub(lambda match: "\\overline{" + match[1].replace("\u0305", "") + "}", text)
    text = _POWER.sub(lambda match: "^{" + "".join(map(_SUPERSCRIPTS.__getitem__, match[0])) + "}", text)
    text = _INDEX.sub(lambda match: "_{" + "".join(map(_SUBSCRIPTS.__getitem__, match[0])) + "}", text)
    text = _ROOT.sub(lambda match: _SYMBOLS[match[1]].strip() + "{" + match[2] + "}", text)
    return "".join(character if character.isascii() else _ascii(character) for character in text)


def _ascii(character: str) -> str:
    if character in _SYMBOLS:
        return _SYMBOLS[character]
    if (digit := unicodedata.decimal(character, None)) is not None:
        return str(digit)
    if character.isspace():
        return " "
    compatible = unicodedata.normalize("NFKC", character)
    if "⁄" in compatible and len(compatible) > 1:
        numerator, _, denominator = compatible.partition("⁄")
        return f"\\frac{{{numerator}}}{{{denominator}}}"
    return _SYMBOLS.get(compatible, compatible)


def _commands(text: str) -> str:
    """Every command in its one spelling, styling unwrapped."""
    written: list[str] = []
    kept: list[bool] = []  # of each open brace: is it written?
    at = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        assert token is not None  # the last alternatives take any character
        at = token.end()
        name, escaped, brace, other = token.groups()
        if name is not None:
            spelled, at, unwrapped = _command(name, text, at)
            written.append(spelled)
            kept += [False] * unwrapped
        elif brace == "{":
            kept.append(True)
            written.append("{")
        elif brace == "}":
            written.append("}" if not kept or kept.pop() else " ")
        else:
            written.append(_escaped(escaped) if escaped else other or "")
    return "".join(written)


def _command(name: str, text: str, at: int) -> tuple[str, int, bool]:
    """A command's spelling, where the text goes on, and whether that is within braces that are not written."""
    if name in _DROPPED_ARGUMENT or name in _COLOURED:
        argument = _ARGUMENT.match(text, at)
        at = argument.end() if argument else at
    if name in _WORDS or name in _STYLES or name in _COLOURED:
        opening = _OPENING.match(text, at)
        return " ", opening.end() if opening else at, opening is not None
    if name in _NOTHING or name in _DROPPED_ARGUMENT:
        return " ", at, False
    behind = " " if at < len(text) and text[at].isalpha() else ""
    return _WRITTEN.get(name, f"\\{name}{behind}"), at, False


def _escaped(character: str) -> str:
    if character in "{}\\|":
        return "\\" + character
    return " " if character in _SPACES else "" if character == "!" else character


_ONE = r"\s*([0-9a-zA-Z]|\\(?!d?frac|sqrt|binom|overline|text)[a-zA-Z]+(?![a-zA-Z]))"
"""What TeX takes for an argument without braces: one sign, a command for one included."""
_SPELLINGS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"~|\\\\\s*$"), " "),
    (re.compile(r"\{,\}"), ","),
    (re.compile(r"\\mathbb\s*([A-Z])"), r"\\mathbb{\1}"),
    (re.compile(r"(?<![a-zA-Z\\])pi(?![a-zA-Z])"), r"\\pi "),
    (re.compile(r"(?<=\d)\s*x\s*(?=10\s*\^)"), r"\\cdot "),
    (re.compile(r"\\frac\s+"), r"\\frac"),
    (re.compile(rf"\\frac{_ONE}\s*\{{"), r"\\frac{\1}{"),
    (re.compile(rf"\\frac{_ONE}{_ONE}"), r"\\frac{\1}{\2}"),
    (re.compile(rf"(\\frac\{{[^{{}}]*\}}){_ONE}"), r"\1{\2}"),
    (re.compile(rf"\\sqrt{_ONE}"), r"\\sqrt{\1}"),
    (re.compile(r"(?:\\sqrt|(?<![a-zA-Z\\])sqrt)\s*\(([^()]*)\)"), r"\\sqrt{\1}"),
    (re.compile(r"\^\s*(?:\{\s*\\circ\s*\}|\\circ(?![a-zA-Z])|\{\s*°\s*\}|°)"), "°"),
    (re.compile(r"(?:\\circ(?![a-zA-Z])|°)\s*(?=[CF]\b)"), "°"),
    (re.compile(r"(?<=\d)\s*(?:\^\s*\{?)?\s*(?:st|nd|rd|th)(?![a-zA-Z])\s*\}?"), ""),  # 25th is 25
    (re.compile(r"(?<=\d)\s*\(([A-Za-z]{3,}(?: [a-z]+)*)\)\s*$"), r" \1"),  # 18 (dollars)
    (re.compile(r"\{([^{}\\]*)\\choose\s*([^{}\\]*)\}"), r"\\binom{\1}{\2}"),
    (re.compile(r"\{([^{}\\]*)\\over\s*([^{}\\]*)\}"), r"\\frac{\1}{\2}"),
    (re.compile(r"(?<=\d)\s*''(?!')"), '"'),
    (re.compile(r"<="), r"\\le "),
    (re.compile(r">="), r"\\ge "),
    (re.compile(r"\*\*"), "^"),
    (re.compile(r"\*"), r"\\cdot "),
    (re.compile(r"\\\{\s*\\\}"), r"\\emptyset "),
    (re.compile(r"(?<=[\])}])\s*U\s*(?=[\[(\\{])"), r"\\cup "),
    (re.compile(r"\+\s*\\infty"), r"\\infty"),
    (re.compile(r"^<([^<>]+,[^<>]+)>$"), r"\\langle \1\\rangle"),
    (re.compile(r"\\[pb]?mod(?![a-z])\s*(?:\{([^{}]*)\}|(\w))?|\(\s*mod\s+(\w+)\s*\)"), r" mod \1\2\3"),
    (re.compile(r"\s+"), " "),
)
