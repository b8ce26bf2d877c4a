# Everything runs from .venv, which the first target that needs it makes from the hashed lock.
# Needed first: python3 with pip, and make. `make` alone lists the targets.

SCENARIO ?= families_first
AREA ?= --england
PORT ?= 5006

# A `uv` on the path may be a shim that does not run, so it is tried; otherwise pip fetches one into .uv.
UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo .uv/bin/uv)
VENV_PYTHON := .venv/bin/python
READY := .venv/.ready

# Some containers tell Python to keep no bytecode; every process would then spend seconds on compiling its libraries.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup run dashboard test test-long lab lint lock bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make or update .venv

run: $(READY) ## fit, price and appraise: make run SCENARIO=families_first AREA='--region "North East"'
	.venv/bin/outcomes run $(SCENARIO) $(AREA)

dashboard: $(READY) ## open the dashboard on this machine: make dashboard PORT=5006
	.venv/bin/outcomes dashboard --port $(PORT)

# Both make one small real fit of the outcome model first, and use it again while nothing that it is made of has changed.
TESTS := $(VENV_PYTHON) -m pytest --numprocesses auto --dist loadscope --no-loadscope-reorder

test: $(READY) ## run the tests, but for the long ones
	$(TESTS) -m "not long"

test-long: $(READY) ## run the long tests: more sampling and pricing, every notebook, every story in a browser
	$(TESTS) -m long

lab: $(READY) ## open the notebooks in JupyterLab
	.venv/bin/jupyter lab notebooks

lint: $(READY) ## check style, types, import layers and that notebooks hold no outputs
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo
	find notebooks -name '*.ipynb' -not -path '*/.*' -exec .venv/bin/nbstripout --verify {} +

# uv writes no address of an index or of links into a lock unless asked to; a test holds it to that.
lock: | $(filter .uv/%,$(UV)) ## resolve pyproject.toml into requirements.lock: make lock UPGRADE=--upgrade for newer ones
	$(UV) pip compile pyproject.toml --universal --python-version 3.12 --all-extras --generate-hashes \
		--custom-compile-command "make lock" --quiet $(UPGRADE) --output-file requirements.lock

bench: $(READY) ## time the stages of a run on this machine
	$(VENV_PYTHON) -m benchmarks

clean: ## remove built files and caches, keeping .venv
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -not -path './.uv/*' -prune -exec rm -rf {} +

# The project itself is built with the locked hatchling, so nothing is installed without a hash.
$(READY): requirements.lock pyproject.toml .python-version | $(filter .uv/%,$(UV))
	@test -x $(VENV_PYTHON) || $(UV) venv --quiet --allow-existing .venv \
		|| $(UV) venv --quiet --allow-existing --no-python-downloads --python '>=3.12' .venv \
		|| { echo "No Python 3.12 or newer was found or could be fetched: install Python $$(cat .python-version)."; exit 1; }
	$(UV) pip sync --quiet --python $(VENV_PYTHON) --require-hashes requirements.lock
	$(UV) pip install --quiet --python $(VENV_PYTHON) --no-deps --no-build-isolation --editable .
	@touch $@

.uv/bin/uv:
	@PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check --upgrade --target .uv uv || { \
		echo "uv could not be fetched: python3 needs pip (Debian: apt install python3-pip), or install uv yourself."; \
		exit 1; }
