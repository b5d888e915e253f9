# One word for each habit. Everything works from a fresh clone with Python, git and make.
PYTHON ?= python3
VENV = .venv
BIN = $(VENV)/bin

.PHONY: setup start test check bench proto clean

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed."; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@

start: setup
	$(BIN)/python -m tests.sdk.start

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check
	$(BIN)/pytest -q

bench: setup
	$(BIN)/python -m tests.bench.run

proto: setup
	$(BIN)/python -m tests.core.generate_state

clean:
	rm -rf $(VENV) build dist
