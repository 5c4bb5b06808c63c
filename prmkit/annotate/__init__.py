"""Automatic step labels: label estimators, each a coroutine over a session that labels the steps of its tree."""

from prmkit.seam import Seam

ESTIMATORS = Seam("label estimator", {"monte-carlo": "prmkit.annotate.monte_carlo:monte_carlo"})
