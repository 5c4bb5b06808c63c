"""One self-contained HTML page about some runs, and its Markdown summary."""

from prmkit.report.page import build_report
from prmkit.report.summary import markdown_summary, write_summary

__all__ = ["build_report", "markdown_summary", "write_summary"]
