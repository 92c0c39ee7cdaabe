# SPDX-License-Identifier: Apache-2.0
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TOOLS := PYTHONPATH=source $(BIN)/python -m tools
CHECKOV := .venv-checkov
SDK := .venv-sdk
READY := $(VENV)/.ready
PIN := $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --no-emit-index-url \
  $(if $(UPGRADE),--upgrade)

.DEFAULT_GOAL := help
.PHONY: help setup demo tour test pytest run-tests test-deep lint bench templates docs image-uris instance-families hyperparameters pins clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

setup: $(READY) ## Create the virtual environment in .venv

demo: setup ## Train, serve and invoke a model in a laptop account (KEEP=1 keeps it running)
	$(BIN)/python -m mlops.demo $(if $(KEEP),--keep)

tour: setup ## Walk through all pipeline types on one data set in a laptop account (KEEP=1 keeps it running)
	$(BIN)/python -m mlops.demo --tour $(if $(KEEP),--keep)

test: setup ## Run lint and the tests, at the same time
	$(MAKE) --no-print-directory --jobs=2 lint pytest

# The SDK takes a minute to install, once. What needs it waits for it; all other tests run meanwhile.
pytest: setup ## Run the tests alone, and install the SageMaker SDK meanwhile
	$(MAKE) --no-print-directory --jobs=2 $(SDK)/.ready run-tests

run-tests: setup ## Run the tests alone; those that need the SageMaker SDK wait until it is installed
	WAIT_FOR_SDK=280 $(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder

test-deep: setup ## Run the slow tests: all pairs of faults, long fuzzing
	$(BIN)/python -m pytest -m slow

lint: setup $(CHECKOV)/.ready ## Check style and types, and lint the built templates
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m mlops.deploy.build --out dist/checked lint-bucket mlops-orchestrator v0 > /dev/null
	$(BIN)/python -m mlops.deploy.regions dist/checked
	$(CHECKOV)/bin/checkov --config-file .checkov.yaml

bench: setup ## Run the benchmarks and write docs/performance.md
	$(TOOLS).bench

templates: setup ## Compile the blueprints to plain CloudFormation in dist/catalog
	$(BIN)/python -m mlops.lint --out dist/catalog

docs: setup ## Regenerate the parts of the documentation that come from code
	$(TOOLS).docs.blueprint_readmes
	$(TOOLS).docs

image-uris: setup ## Regenerate the table of container images from the SageMaker SDK
	$(TOOLS).image_uris

instance-families: setup ## Regenerate the table of instance families from botocore's model of SageMaker
	$(TOOLS).instance_families

hyperparameters: setup ## Regenerate the table of built-in algorithms' hyperparameters from the SageMaker SDK
	$(TOOLS).hyperparameters

pins: setup ## Pin and hash the requirements of pyproject.toml and the .in files (UPGRADE=1 upgrades them)
	$(BIN)/python -m pip install --quiet uv
	$(PIN) --group dev pyproject.toml --output-file requirements.txt
	$(PIN) requirements-checkov.in --output-file requirements-checkov.txt
	$(PIN) requirements-sdk.in --output-file requirements-sdk.txt
	$(PIN) orchestrator/requirements.in --output-file orchestrator/requirements.txt

clean: ## Delete build outputs and caches
	rm -rf dist build deployment/global-s3-assets deployment/regional-s3-assets .mypy_cache .ruff_cache .pytest_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

$(CHECKOV)/.ready: requirements-checkov.txt
	$(PYTHON) -m venv $(CHECKOV)
	$(CHECKOV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-checkov.txt
	@touch $@

# Not compiled: 39 instead of 67 seconds, and the tests import a tenth of it.
$(SDK)/.ready: requirements-sdk.txt
	$(PYTHON) -m venv $(SDK)
	$(SDK)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements-sdk.txt
	@touch $@

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is required")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@mkdir -p dist && touch $@
