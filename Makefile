# Two commands do everything: `make run` and `make test`. The others are for who changes the code.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help

help: ## list the commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

ASSETS := pages/graphiql_build.py pages/graphiql/.npmrc $(wildcard pages/graphiql/*.* pages/graphiql/src/*) tests/node/package-lock.json examples/spa/package-lock.json

$(STAMP): requirements-dev.lock pyproject.toml $(ASSETS)
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed (set PYTHON=)" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BIN)/python -m pages.graphiql_build
	$(BIN)/python -m tests.support.node
	@touch $@

setup: $(STAMP) ## create .venv and install the locked dependencies

example: setup ## build the example front end and serve it beside `make run`
	@test -f .run/demo.json || { echo "make example needs the gateway: start 'make run' in another terminal" >&2; exit 2; }
	$(BIN)/python -m examples.spa_build

run: setup ## start gateway, sidecar, worker, sandbox and PostgreSQL with three demo tenants
	@exec $(BIN)/gateway run $(ARGS)

test: setup ## run all tests
	$(BIN)/pytest $(ARGS)

recorded: setup ## compare the sandbox with recorded Stripe traffic: make recorded FOLDER=...
	$(BIN)/python -m tests.contract.recorded "$(FOLDER)"

soak: setup ## the crash and fault tests in their full length (hours)
	$(BIN)/python -m tests.properties.order_histories 100000
	CHAOS_MUTATIONS=500 CHAOS_KILLS=5 SOAK_ROUNDS=200 STORM_EVENTS=27000 STORM_KILLS=200 OLD_EVENTS=10000 SANDBOX_WALKS=200 INTERLEAVED=10000 MATRIX_PASSES=2 FUZZ_INPUTS=100000 MISTYPED_TOKENS=1000000 COST_DOCUMENTS=5000 $(BIN)/pytest -s \
		--timeout 0 tests/journeys/test_chaos.py tests/journeys/test_storm.py tests/journeys/test_idempotency.py \
		tests/webhooks/test_faults.py tests/sandbox/test_walks.py tests/gateway/test_matrix.py \
		tests/gateway/test_hostile.py tests/gateway/test_cost.py tests/tenants/test_access.py $(ARGS)

barriers: setup ## take each barrier of the isolation away in turn: a test must turn red
	$(BIN)/python -m tests.properties.barriers

bench: setup ## measure speed, as ratios taken in one run: make bench ARGS=1000000
	$(BIN)/python -m bench.ingest $(ARGS)
	$(BIN)/python -m bench.visible
	$(BIN)/python -m bench.sandbox

format: setup ## rewrite the sources in the house format
	$(BIN)/ruff check --quiet --fix-only .
	$(BIN)/ruff format --quiet .

check: setup ## format check, lint, types, tests
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(MAKE) --no-print-directory test

lock: ## resolve the dependencies anew into both lock files
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-emit-find-links --custom-compile-command 'make lock' --extra dev -o requirements-dev.lock pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-emit-find-links --custom-compile-command 'make lock' -c requirements-dev.lock -o requirements.lock pyproject.toml

clean: ## remove what the commands above made
	rm -rf $(VENV) .run .pytest_cache .mypy_cache .ruff_cache pages/static/graphiql
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help setup example run test soak barriers bench recorded format check lock clean
