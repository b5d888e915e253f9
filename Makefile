# One word for each habit. Everything works from a fresh clone with Python, git and make.
PYTHON ?= python3
VENV = .venv
BIN = $(VENV)/bin

.PHONY: setup tools install start test check bench proto clean

setup: $(VENV)/.ready

# Go and Node are for the SDK tests and the benchmark only.
tools: setup
	@command -v go >/dev/null || $(MAKE) install PACKAGES=golang-go
	@command -v npm >/dev/null || $(MAKE) install PACKAGES="nodejs npm"
	cd tests/sdk/typescript && npm install --silent --no-package-lock --no-audit --no-fund

install:
	@test "$$(id -u)" = 0 || { echo "$(PACKAGES) is needed: install it and try again."; exit 1; }
	apt-get update -qq && apt-get install -qq -y $(PACKAGES)

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

test: tools check
	$(BIN)/pytest -q

bench: tools
	$(BIN)/python -m tests.bench.run

proto: setup
	$(BIN)/python -m tests.core.generate_state

clean:
	rm -rf $(VENV) build dist
