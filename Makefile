# The index: every target one line; `make help` prints them.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python

.PHONY: help test generate lint

help: ## print this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

$(VENV)/test.stamp: constraints.txt pyproject.toml
	@echo "== setting up the test environment in $(VENV)"
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet -c constraints.txt setuptools
	$(PY) -m pip install --quiet -c constraints.txt --no-build-isolation -e '.[video,train]' pytest pytest-xdist hypothesis ruff mypy
	@touch $@

test: $(VENV)/test.stamp ## set up what is needed and run the tests
	$(PY) -m edgemoe.spec.generate --check
	OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 -m "not slow and not board"

generate: $(VENV)/test.stamp ## write the generated headers and pages
	$(PY) -m edgemoe.spec.generate

lint: $(VENV)/test.stamp ## ruff and mypy
	$(VENV)/bin/ruff check host golden tests
	$(VENV)/bin/mypy
