# Every target is a line or two; the tools are Python, under tools/.
PYTHON ?= python3.13
VENV := .venv
RUN := PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(VENV)/bin/python
STACK := $(RUN) -m tools.local_stack
INSTALLED := $(VENV)/installed

.PHONY: demo test check lint fuzz bench up down status logs build deploy migrate generate help
.DEFAULT_GOAL := help

demo: up ## Bring the stack up and run a merchant's day on it, end to end
	@$(RUN) -m tools.demo

test: $(INSTALLED) ## Run the tests; the deployed stack's among them
	@$(RUN) -m pytest -n 3 --dist loadgroup -m "not proof and not long"

check: $(INSTALLED) lint ## What CI runs: lint, types, contracts, generated files, tests (LONG=1: all)
	@$(RUN) -m pytest -n 3 --dist loadgroup $(if $(LONG),,-m "not long")

lint: $(INSTALLED) ## Format, lint, types, import contracts, generated files, template
	@$(RUN) -m ruff format --check . && $(RUN) -m ruff check . && $(RUN) -m mypy && PATH="$(CURDIR)/$(VENV)/bin:$$PATH" lint-imports
	@$(RUN) -m tools.export_schemas --check && $(RUN) -m tools.export_openapi --check && $(RUN) -m tools.export_reference --check && $(RUN) -m tools.export_lifecycle --check && PATH="$(CURDIR)/$(VENV)/bin:$$PATH" sam validate --lint

fuzz: $(INSTALLED) ## Send 20,000 generated requests to every operation, and count what is wrong
	@$(RUN) -m tests.fuzz --cases $(or $(CASES),20000)

bench: $(INSTALLED) ## Print the benchmarks' ratios and write .local/bench.json
	@$(RUN) -m tests.benchmarks $(if $(PGLEDGER),--pgledger $(PGLEDGER)) $(if $(PEERS),--peers) $(if $(LARGE),--large)

up: $(INSTALLED) ## Start the local stack and deploy to it (again: changes nothing, or heals it)
	@$(STACK) up

down status logs: $(INSTALLED) ## Stop the stack; say how it is; show what its parts wrote
	@$(STACK) $@

build: $(INSTALLED) ## Build the template for AWS
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" sam build

deploy: build ## Deploy to AWS with samconfig.toml (CONFIG=dev|staging|prod)
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" sam deploy --config-env $(or $(CONFIG),dev)

migrate: $(INSTALLED) ## Apply the migrations of the stack that is up
	@$(STACK) migrate

generate: $(INSTALLED) ## Write event schemas, openapi.json, the reference, lifecycles, schema.sql and docs/ledger.md anew
	@$(RUN) -m tools.export_schemas && $(RUN) -m tools.export_openapi && $(RUN) -m tools.export_reference && $(RUN) -m tools.export_lifecycle && $(RUN) -m tools.dump_schema && $(RUN) -m tools.ledger_walkthrough

help: ## List the targets
	@grep -hE '^[a-z ]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 22

$(INSTALLED): requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null || \
	  { echo "Python 3.13 is needed: install it, or name it with make PYTHON=/path/to/python3.13"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/pip install -qq --no-compile --require-hashes -r requirements-dev.txt || \
	  { echo "The packages could not be installed: check the network (or pip's settings) and repeat."; exit 1; }
	@$(VENV)/bin/pip install -qq --no-build-isolation --no-deps -e . && touch $@
