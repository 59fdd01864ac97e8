# Everything that is done with this repository by hand, or by a machine. `make` alone lists it.
# Needed beforehand: Python 3.11 or later, Node 20 or later with npm.

PYTHON ?= python3
# Tests wait more than they work: so many run side by side, each group on engines of its own. JOBS=0: one after the other.
JOBS ?= 2
VENV := .venv
BIN := $(VENV)/bin
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# What is installed is remembered by stamps: each set of requirements contains the ones before it.
RUN_READY := $(VENV)/.installed-embedded
ALL_READY := $(VENV)/.installed-development
PAGE_READY := node_modules/.installed-page

# Other servers, to be measured beside ours: each in an environment of its own, none of them needed for anything else.
PEERS := $(patsubst %,.peers/%/.installed,litellm chainlit)

say = @printf '\033[1m%s\033[0m\n' "$(1)"
install = $(BIN)/python -m pip install --require-hashes --no-deps --requirement $(1)
needs = { printf '%s\n' "$(1)" >&2; exit 1; }

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help up setup test lint bench bench-peers browser-test pictures chaos lock clean check-python check-node

help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: $(RUN_READY) $(PAGE_READY) ## Set up what is missing, and run everything on this machine
	@exec $(BIN)/python -m server up

setup: $(ALL_READY) $(PAGE_READY) ## Set up everything, for tests as well, and run nothing

test: setup lint ## Run all checks and tests
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist worksteal
	node --test tests/unit/static/*.test.js

lint: $(ALL_READY) ## Check style, types, layers and lengths
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python tests/support/lengths.py

bench: setup ## Measure fan-out and tokens beside other servers
	$(BIN)/python -m tests.benchmarks

bench-peers: setup $(PEERS) ## Measure tokens beside LiteLLM and Chainlit
	$(BIN)/python -m tests.benchmarks --only peers

browser-test: setup ## Run the page's tests in a real browser
	$(BIN)/python -m pytest tests/browser --numprocesses $(JOBS) --dist loadfile

pictures: setup ## Take the README's pictures of the page anew
	$(BIN)/python -m pytest tests/browser -m picture

chaos: setup ## Run the long versions of the fault tests
	CHAOS=long $(BIN)/python -m pytest -s tests/faults

clean: ## Remove what was set up and built; the data of `make up` stays
	rm -rf $(VENV) .peers node_modules static/vendor .pytest_cache .ruff_cache .hypothesis .import_linter_cache .grimp_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- set-up

check-python:
	@command -v $(PYTHON) >/dev/null || $(call needs,Python 3.11 or later is needed: no $(PYTHON) found. PYTHON=… names another.)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  $(call needs,Python 3.11 or later is needed: this is $$($(PYTHON) --version). PYTHON=… names another.)
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  $(call needs,Python's venv module is missing. On Debian: apt-get install python3-venv)

check-node:
	@command -v node >/dev/null || $(call needs,Node 20 or later is needed to fetch the page's libraries.)
	@node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || \
	  $(call needs,Node 20 or later is needed: this is $$(node --version).)
	@command -v npm >/dev/null || $(call needs,npm is needed to fetch the page's libraries. On Debian: apt-get install npm)
	@test ! -L node_modules || $(call needs,node_modules is a link$(comma) and npm would empty what it points to: remove the link.)

$(BIN)/python:
	@$(MAKE) --no-print-directory check-python
	$(call say,Making $(VENV))
	@$(PYTHON) -m venv $(VENV)

$(RUN_READY): requirements/embedded.txt | $(BIN)/python
	$(call say,Installing the server$(comma) a database$(comma) a queue and a language model: some minutes the first time)
	@$(call install,$<)
	@touch $@

$(ALL_READY): requirements/development.txt | $(BIN)/python
	$(call say,Installing the server and its tools: some minutes the first time)
	@$(call install,$<)
	@touch $(RUN_READY) $@

# What cannot be installed here is not measured; the table says so.
$(PEERS): .peers/%/.installed: requirements/peers-%.txt | $(BIN)/python
	$(call say,Installing $*$(comma) to be measured beside us: some minutes the first time)
	@$(PYTHON) -m venv .peers/$* && \
	  .peers/$*/bin/python -m pip install --quiet --require-hashes --no-deps --requirement $< && touch $@ || \
	  printf '%s\n' '$* could not be installed.' >&2

$(PAGE_READY): package-lock.json package.json static/vendor.mjs
	@$(MAKE) --no-print-directory check-node
	$(call say,Fetching the page's libraries)
	@npm ci --ignore-scripts --no-audit --no-fund
	@npm run --silent vendor
	@touch $@

comma := ,

# --- pinned requirements

compile = uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header

lock: check-python ## Pin versions and hashes of what pyproject.toml asks for
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	$(PYTHON) -m venv "$$folder" && "$$folder/bin/pip" install --quiet uv && PATH="$$folder/bin:$$PATH" && set -x && \
	$(compile) pyproject.toml -o requirements/production.txt && \
	$(compile) --extra embedded --extra model -c requirements/production.txt \
	  pyproject.toml -o requirements/embedded.txt && \
	$(compile) --extra embedded --extra model --extra dev -c requirements/embedded.txt \
	  pyproject.toml -o requirements/development.txt && \
	$(compile) requirements/peers-litellm.in -o requirements/peers-litellm.txt && \
	$(compile) requirements/peers-chainlit.in -o requirements/peers-chainlit.txt
