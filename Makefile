# The one list of tasks: people and CI call these. The environment is .venv in this folder; nothing is installed elsewhere.
.DEFAULT_GOAL := help
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export DVC_NO_ANALYTICS := 1
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := 1

# a value as one word of the shell
quote = '$(subst ','\'',$(1))'
fail = { echo "error: $(1)" >&2; exit 2; }
check-photo = test -f $(call quote,$(PHOTO)) || $(call fail,PHOTO=… must be a photograph that exists); \
	$(if $(MASK),test -f $(call quote,$(MASK)) || $(call fail,MASK=… must be a picture that exists),\
	$(if $(wildcard pretrained/region-free/card.json),,$(call fail,MASK=… is missing: give a mask of what was pasted)))
photo-options = $(if $(MASK),--mask $(call quote,$(MASK)) $(if $(wildcard pretrained/region/card.json),,--model seam-fit))

.PHONY: help setup demo photo run check test test-slow lint format lock status weights clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(VENV)/.synced  ## the environment, from requirements.lock

$(VENV)/.synced: requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || python3 -m venv $(VENV)
	@$(BIN)/python -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v == (3, 11) else f"Python 3.11 is needed, not {v[0]}.{v[1]}: make setup PYTHON=/path/to/python3.11")'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

demo: setup  ## drawn scenes → trained, promoted models, in minutes; with PHOTO=… MASK=… then your own photograph
	@$(if $(PHOTO),$(check-photo))
	retouch use sample
	@$(MAKE) --no-print-directory run
	@$(if $(PHOTO),$(MAKE) --no-print-directory photo)

photo: setup  ## harmonize PHOTO=… MASK=… with the model that is there, into results/
	@$(check-photo)
	@mkdir -p results
	@echo "your photograph, harmonized:"
	@retouch harmonize $(call quote,$(PHOTO)) --out results --overwrite $(photo-options)

run: setup  ## the same on the settings in params.yaml
	retouch download
	python -m flows.pipeline

check: setup  ## after a run: `dvc repro` finds nothing left to do, and what is serving
	dvc repro
	dvc status --quiet
	retouch status --json

test: setup  ## all tests but the slow ones and the GPU's
	python -m pytest

test-slow: setup  ## the slow tests: every network through every test
	python -m pytest -m slow

lint: setup  ## ruff and mypy
	ruff check .
	ruff format --check .
	mypy

format: setup  ## fix what ruff can
	ruff check --fix .
	ruff format .

weights: setup  ## pretrained weights, pinned by SHA-256
	retouch weights

status: setup  ## what is serving
	@retouch status

lock: setup  ## requirements.lock from pyproject.toml
	uv pip compile --quiet --python-version 3.11 --generate-hashes --extra dev pyproject.toml --output-file requirements.lock

clean:  ## delete the pipeline's outputs (not data/, not the registry)
	rm -rf scenes test_sets artifacts reports .checkpoints
