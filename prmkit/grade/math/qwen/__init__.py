"""Qwen2.5-Math's extraction and grader, for figures that are to be compared with its leaderboards.

Too lenient to be a default: a number may be off by a factor of 100 (percent), ``1,2`` is 12, and a number that only
stands last is an answer. All of it is kept, for the verdicts shall be theirs; only what theirs would run as Python is
not (parsing.py).

Source: QwenLM/Qwen2.5-Math, evaluation/parser.py and evaluation/grader.py (Yang et al. 2024, arXiv 2409.12122).
"""

from prmkit.grade.math.qwen.extraction import find
from prmkit.grade.math.qwen.verdict import same

__all__ = ["find", "same"]
