# Two commands matter: `make run` and `make test`. Both set everything up by themselves.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/.stamps
# One pytest process a core; a file's tests stay together, since some share a browser or a server.
PYTEST_ARGS ?= -n auto --dist loadfile
UV_PYTHON_DOWNLOADS := never
export UV_PYTHON_DOWNLOADS

# pip's report, thinned to one name a package, so that a newcomer sees it move.
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --progress-bar off --require-hashes -r
NAMES := awk '/^Collecting /{split($$2, name, /[=[]/); print "  " name[1]; fflush()}'

.PHONY: run test check bench bench-growth bench-rush bench-captcha bench-start drill clean-demo lock format help

help:
	@echo "make run | test | check | bench | bench-growth | bench-rush | bench-captcha | bench-start | drill | clean-demo | lock"

run: $(STAMPS)/run
	@$(BIN)/python app.py

test: $(STAMPS)/dev
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

check: $(STAMPS)/dev
	@$(BIN)/ruff check .
	@$(BIN)/mypy --no-error-summary

# BENCH="--rounds 3 --seconds 2" hands options on; bench/README.md says how to read the figures.
bench: $(STAMPS)/dev
	@$(BIN)/python -m bench.votes $(BENCH)

bench-growth: $(STAMPS)/dev
	@$(BIN)/python -m bench.growth $(BENCH)

bench-rush: $(STAMPS)/dev
	@$(BIN)/python -m bench.rush $(BENCH)

bench-captcha: $(STAMPS)/dev
	@$(BIN)/python -m bench.captcha $(BENCH)

bench-start: $(STAMPS)/dev
	@$(BIN)/python -m bench.start

drill: $(STAMPS)/dev
	@$(BIN)/python -m bench.drill $(DRILL)

clean-demo:
	@rm -rf instance && echo "the demo's data are gone; make run begins afresh"

format: $(STAMPS)/dev
	@$(BIN)/ruff check --fix -q .

lock: $(STAMPS)/dev
	@for f in requirements requirements-dev; do \
	  $(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-annotate --python-version 3.11 \
	    --custom-compile-command "make lock" $$f.txt -o $$f.lock; done

# The stamp holds the lock's checksum: a changed lock installs again, an unchanged one costs nothing.
$(STAMPS)/venv:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "wxbackend needs Python 3.11 or newer; this is " + sys.version.split()[0])'
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "Python's venv is missing. On Debian or Ubuntu: apt install python3-venv"; exit 1; }
	@test -x $(BIN)/python || { echo "making $(VENV) …"; $(PYTHON) -m venv $(VENV); }
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/run: requirements.lock $(STAMPS)/venv
	@echo "installing dependencies (once) …"
	@$(INSTALL) requirements.lock | $(NAMES)
	@touch $@

$(STAMPS)/dev: requirements-dev.lock $(STAMPS)/venv
	@echo "installing dependencies for tests (once) …"
	@$(INSTALL) requirements-dev.lock | $(NAMES)
	@touch $@ $(STAMPS)/run
