# Everything that a developer types. A fresh machine needs Python 3.11 or newer and make, nothing else: make help
#
# PYTHON=python3.12 chooses the interpreter, VENV=folder the environment.

PYTHON ?= python3
VENV ?= .venv
DIST ?= dist
BIN := $(VENV)/bin
# uv installs in a quarter of pip's time; settings for an index or a proxy are its own (UV_...), not pip's.
UV := VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/uv
# Where no bytecode is written each process compiles all that it imports, PyTorch among it: half of what tests cost.
unexport PYTHONDONTWRITEBYTECODE
# One worker more than cores: some tests wait most of their time.
export PYTEST_XDIST_AUTO_NUM_WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
PYTEST := $(BIN)/python -m pytest --numprocesses=auto --maxprocesses=8 --dist=worksteal

.PHONY: help demo test test-all check lint types layers format docs site dist engines-up engines-down clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 22

demo: $(VENV)/.installed ## install esclip into .venv and search the bundled pictures
	$(BIN)/esclip demo

# Without engines there is room for a further worker: 8 % less time, measured in turns.
# TESTS names other tests, PYTEST_ARGS adds options: make test TESTS=tests/unit/test_filters.py PYTEST_ARGS=-x
test: $(VENV)/.installed-dev ## run the tests that need no engine, in two minutes
	PYTEST_XDIST_AUTO_NUM_WORKERS=$$((PYTEST_XDIST_AUTO_NUM_WORKERS + 1)) $(PYTEST) $(PYTEST_ARGS) $(or $(TESTS),tests/unit tests/meta)

# Those that need an engine run on the engines that are up (make engines-up), and are skipped where none is.
test-all: $(VENV)/.installed-dev ## run all tests, on the engines that are up
	eval "$$($(PYTHON) scripts/engines env)" && $(PYTEST) $(PYTEST_ARGS) $(or $(TESTS),tests)

check: lint types layers ## run the static checks: lint, types, layers

lint: $(VENV)/.installed-dev ## check format and style
	$(BIN)/ruff format --check . scripts/engines
	$(BIN)/ruff check . scripts/engines

types: $(VENV)/.installed-dev ## check types, and the public API as users' editors see it
	$(BIN)/mypy
	$(BIN)/basedpyright --pythonpath $(BIN)/python

layers: $(VENV)/.installed-dev ## check that each module imports only from the layers below its own
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev ## format all code and apply the safe fixes
	$(BIN)/ruff format . scripts/engines
	$(BIN)/ruff check --fix . scripts/engines

docs: $(VENV)/.installed-dev ## render what docs/, man/ and mappings/ take from the code
	$(BIN)/python -m scripts.render_pages
	$(BIN)/python -m scripts.render_api
	$(BIN)/python -m scripts.render_man
	$(BIN)/python -m scripts.render_llms
	$(BIN)/python -m scripts.render_mappings

site: $(VENV)/.installed-dev ## build the pages of docs/ into site/, warnings as errors
	$(BIN)/zensical build --clean --strict
	$(BIN)/python -m scripts.render_llms site

dist: $(VENV)/.installed-dev ## build wheel and source distribution into dist/, and check their metadata
	$(UV) build --quiet --out-dir $(DIST)
	$(BIN)/twine check --strict $(DIST)/*.whl $(DIST)/*.tar.gz

engines-up: ## start OpenSearch and Elasticsearch on loopback, for tests
	$(PYTHON) scripts/engines start all

engines-down: ## stop them
	$(PYTHON) scripts/engines stop all

clean: ## remove the environment, builds and caches
	rm -rf $(VENV) $(DIST) build site .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# Each stamp is newer than pyproject.toml, or its environment is brought up to date with it.
$(VENV)/.uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "esclip needs Python 3.11 or newer; name one: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade uv
	@touch $@

$(VENV)/.installed: $(VENV)/.uv pyproject.toml
	$(UV) pip install --quiet --editable .
	@touch $@

# One call resolves and downloads all of it together.
$(VENV)/.installed-dev: $(VENV)/.uv pyproject.toml
	$(UV) pip install --quiet --editable . --group dev
	@touch $@ $(VENV)/.installed
