"""Studies: a figure or table as a grid of runs, each a command, that is run once and read into one result.

study -> grid of cells -> launcher (local, ray, slurm) -> rows -> metrics.json, figure.html, table.md
"""
