# Each target does its own set-up: all it needs is python3 (3.11 or newer) with venv, and a package index.
# Set-up is remembered in .venv and repeated only when pyproject.toml, constraints.txt or the Python changes.

PYTHON ?= python3
# Two at a time suit two cores: a third saves a minute or two, and faults that need punctual workers then fail now and then.
PYTEST_ARGS ?= -n 2 --dist loadfile --no-loadscope-reorder

BIN := .venv/bin
CODE := $(wildcard holdfast policies workflows activities workers examples tests bench evals)

# Tests start many processes: without bytecode, which some environments forbid to write, each of them compiles
# the engine again.
export PYTHONDONTWRITEBYTECODE :=
# Pyright would otherwise ask the network whether a newer pyright exists.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.DEFAULT_GOAL := help
.PHONY: help demo test setup lint types format

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' Makefile

demo: ## Watch an agent survive: a run, a killed worker, an approval (about a minute)
	@$(PYTHON) scripts/prepare_venv.py demo
	@$(BIN)/python -m examples.cloud_costs.demo

# Types are checked while the first tests wait for their servers; what the checkers say appears in one piece.
test: lint ## Lint, types, import rules and all tests (PYTEST_ARGS= runs one at a time)
	@{ said=$$($(MAKE) --no-print-directory types 2>&1); ended=$$?; echo "$$said"; exit $$ended; } & types=$$!; \
	$(BIN)/python -m pytest $(PYTEST_ARGS); tests=$$?; \
	wait $$types || { echo "The types are wrong: see above, or run make types."; exit 1; }; exit $$tests

setup: ## Only the set-up that `make test` does
	@$(PYTHON) scripts/prepare_venv.py dev

lint: setup ## Ruff, formatting, import rules, a docstring on every test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/interrogate tests

types: setup ## Mypy over everything, pyright over the public API
	@$(BIN)/mypy $(CODE)
	@$(BIN)/pyright

format: setup ## Write the formatting that lint asks for
	@$(BIN)/ruff check --quiet --fix .
	@$(BIN)/ruff format --quiet .
