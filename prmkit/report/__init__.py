"""One self-contained HTML page about some runs."""

from prmkit.report.page import build_report

__all__ = ["build_report"]
