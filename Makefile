# Every task starts from nothing: Python 3.11+ and make are enough, the rest is installed into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint .ci/constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test test-llm crash check fix eval eval-full clean

help: ## List the tasks
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-9s %s\n", $$1, $$2}'

demo: $(VENV)/.run ## Triage an example report up to the human checkpoint
	@$(BIN)/qa-agents demo

test: check ## Lint, types and every test
	@$(BIN)/python -m pytest -n 2

crash: $(VENV)/.dev ## Kill, pause, race and starve real processes at every point, with three seeds
	@QA_AGENTS_CRASH=full $(BIN)/python -m pytest tests/crash tests/machines tests/migration -n 2

test-llm: $(VENV)/.dev ## Fetch a small language model (98 MB, once) and run the whole path with it
	@QA_AGENTS_TEST_LLM=$${QA_AGENTS_TEST_LLM:-smollm2} $(BIN)/python -m pytest tests/llm

check: $(VENV)/.dev ## Lint and types only
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

fix: $(VENV)/.dev ## Format, and repair what the linter can repair
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format --quiet .

eval: $(VENV)/.evals ## Measure triage, gate and speed beside the plain alternatives, in five minutes
	@$(BIN)/python -m evals all

eval-full: $(VENV)/.evals ## Every measurement in full, with gates and the accepted baseline; hours on two cores
	@$(BIN)/python -m evals all --full

clean: ## Remove the environment and what tools left behind
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; set PYTHON=…" if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml .ci/constraints.txt | $(BIN)/python
	@echo "Installing (once) …" >&2
	@$(PIP) --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	@echo "Installing what the checks need (once) …" >&2
	@$(PIP) --editable '.[dev]'
	@touch $@

$(VENV)/.evals: $(VENV)/.dev
	@$(PIP) --editable '.[dev,evals]'
	@touch $@
