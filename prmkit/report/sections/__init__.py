"""The sections of a report, one file each: what some runs have to show, as blocks."""
