# Tidewheel's commands. `make demo` and `make test` set up whatever is missing first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
UV_VERSION := 0.13.8
# One more than two cores: scenarios wait often, for clocks and for processes. More cores take more: make test WORKERS=9
WORKERS ?= 3

# Hundreds of short processes import the same libraries, which the set-up leaves uncompiled.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test prove-iam lint audit format synth requirements clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## install everything into .venv; safe to run twice

# The stamp is written last, so an interrupted set-up is simply done again.
$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and f"Tidewheel needs Python 3.11 or newer, and {sys.executable} is {v.major}.{v.minor}. Next: make $(MAKECMDGOALS) PYTHON=python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "setting up $(VENV) (once, about a minute)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $(READY)

demo: $(READY) ## run the whole loop on the twin, on real data
	@$(BIN)/tide demo

test: $(READY) ## run every test
	@# A file stays on one worker: the tests of a scenario share an app, and the templates are synthesised once. The long files come first.
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

prove-iam: $(READY) ## run the loop on the twin, and prove that every policy allows what is needed and nothing else
	@$(BIN)/tide prove-iam

lint: $(READY) ## ruff, mypy, import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

audit: $(READY) ## known vulnerabilities in the pinned packages; says so when they could not be looked up
	@.ci/audit

format: $(READY) ## let ruff put the code in order
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

synth: $(READY) ## write the CloudFormation templates to cdk.out, with no account and no network
	@$(BIN)/tide synth

requirements: $(READY) ## compile the pinned requirements from the short *.in files
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header training/requirements.in -o training/requirements.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header requirements.in -o requirements.txt

clean: ## stop the twin and remove everything that was made
	@test ! -x $(BIN)/tide || $(BIN)/tide down
	@rm -rf $(VENV) cdk.out .tidewheel .mypy_cache .ruff_cache .pytest_cache .import_linter_cache *.egg-info
