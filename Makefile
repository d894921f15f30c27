# Everything that a developer types. A fresh machine needs Python 3.11 or newer and make, nothing else:
#
#   make demo     install esclip into .venv and search the bundled pictures
#   make test     install what development needs as well, and run the tests
#
# PYTHON=python3.12 chooses the interpreter, VENV=folder the environment.

PYTHON ?= python3
VENV ?= .venv
DIST ?= dist
BIN := $(VENV)/bin

# The tests that need an engine run on those that are up (make engines-up), and say so where none is.
.PHONY: demo test check format wheel engines-up engines-down clean

demo: $(VENV)/.installed
	$(BIN)/esclip demo

test: $(VENV)/.installed-dev
	eval "$$($(PYTHON) scripts/engines env)" && $(BIN)/python -m pytest $(PYTEST_ARGS)

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check . scripts/engines
	$(BIN)/ruff check . scripts/engines
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev
	$(BIN)/ruff format . scripts/engines
	$(BIN)/ruff check --fix . scripts/engines

wheel: $(VENV)/.installed
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir $(DIST) .

engines-up:
	$(PYTHON) scripts/engines start all

engines-down:
	$(PYTHON) scripts/engines stop all

clean:
	rm -rf $(VENV) $(DIST) build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# Each stamp is newer than pyproject.toml, or its environment is brought up to date with it.
$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "esclip needs Python 3.11 or newer; name one: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --group dev
	@touch $@
