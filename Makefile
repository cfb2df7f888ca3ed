# make book and make test need Python 3.11 or newer, make and a package index; nothing else.
.DEFAULT_GOAL := help
SHELL := /bin/bash

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
PYTHON ?=
CANDIDATES := $(PYTHON) python3.13 python3.12 python3.11 python3.14 python3 python
PIP := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check --no-input
# Some fifty Pythons start, and each would compile the library anew.
unexport PYTHONDONTWRITEBYTECODE
# One thread each: workers fill the cores, and more would only get in their way.
PYTEST := OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest --quiet -n auto --maxprocesses 8 --dist loadfile

.PHONY: help setup book test lab refresh check audit bench clean

help: ## list the targets
	@grep -E '^[a-z]+: .*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /make \1\t/' | expand -t 16

setup: $(STAMP) ## install the pinned environment into .venv

$(STAMP): requirements.lock pyproject.toml
	@found=; for python in $(CANDIDATES); do \
	  if "$$python" -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' \
	    >/dev/null 2>&1; then found=$$python; break; fi; done; \
	if [ -z "$$found" ]; then \
	  echo "No Python 3.11 or newer with venv found: install one (Debian: apt-get install" \
	    "python3 python3-venv) or name it (make PYTHON=/path/to/python3 ...)." >&2; exit 1; fi; \
	echo "Installing into $(VENV) with $$("$$found" --version) ..."; \
	"$$found" -m venv $(VENV)
	@$(PIP) install --requirement requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

book: $(STAMP) ## execute what changed and build the site: build/html/index.html
	@$(BIN)/python tools/build.py book

test: book ## unit tests, doctests, notebooks against their committed outputs, the pages in a browser
	@$(PYTEST) --nbval --nbval-current-env costlib tests notebooks

audit: book ## test at length: every view and widget, other versions, changed formulas that tests must notice
	@$(PYTEST) -m "audit or not audit" --nbval --nbval-current-env costlib tests notebooks
	@$(BIN)/python tools/mutate.py

lab: $(STAMP) ## open the notebooks in JupyterLab
	@$(BIN)/jupyter lab notebooks

refresh: $(STAMP) ## execute notebooks in place; ONLY="pue moe" restricts it
	@$(BIN)/python tools/build.py refresh $(ONLY)

check: $(STAMP) ## style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(STAMP) ## print speed of formulas, book and tests, and weight of the pages
	@$(BIN)/python tools/bench.py

clean: ## remove everything built and cached, but not .venv
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	@find . -path ./$(VENV) -prune -o \( -name __pycache__ -o -name .ipynb_checkpoints \) -type d \
	  -print0 | xargs -0 -r rm -rf
