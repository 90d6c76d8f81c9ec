# Two commands do it all: `make demo` and `make test`. Both build .venv first, from the lock file.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test load load-peak load-soak crash fuzz bench growth soak teeth proto lock clean
.DEFAULT_GOAL := demo

.venv: pyproject.toml requirements.lock
	@echo "setting up .venv from requirements.lock (about a minute on a fast line)"
	@$(PYTHON) -c 'import sys; sys.exit("Turnback needs Python 3.11 or newer, found " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch .venv
	@echo "ready: turnback, turnback-sim and turnback-load are in $(BIN)"

demo: .venv  ## the main job, end to end, with the audit at the end
	@$(BIN)/turnback-load demo

test: .venv  ## every check: types, lint, contracts, generated code, behaviour
	@$(BIN)/python -m pytest

LOAD ?=  # further options, for instance --scenario retries --scenario readers=20 --workers 2
load: .venv  ## 50 interceptions a second for a minute, and every cent compared; the report is in load/
	@$(BIN)/turnback-load run --out load $(LOAD)

load-peak: .venv  ## the highest rate with p99 below a second
	@$(BIN)/turnback-load peak --out load $(LOAD)

load-soak: .venv  ## MINUTES=20 of it, and the memory over time
	@$(BIN)/turnback-load soak --minutes $(if $(filter file,$(origin MINUTES)),20,$(MINUTES)) --out load $(LOAD)

CRASH ?=  # for instance --state crash.json --goal 500: added up over runs, and gone on with
crash: .venv  ## kill -9 at every commit point and at random moments, under load, on both stores
	@$(BIN)/turnback-load crash $(CRASH)
	@$(BIN)/turnback-load crash --store postgres $(CRASH)

fuzz: .venv  ## a million hostile inputs; SEED=2 and COUNT=1000 (of each part) may be given
	@$(BIN)/python -m tests.fuzz $(if $(SEED),--seed $(SEED)) $(if $(COUNT),--count $(COUNT))

BENCH ?=  # for instance create push --store sqlite --rounds 9; --out docs writes page and picture
bench: .venv  ## CPU time per operation beside bare floors, in one run, on both stores
	@GRPC_ENABLE_FORK_SUPPORT=0 $(BIN)/turnback-load bench $(BENCH)

GROWTH ?=  # for instance --size 10000 --size 1000000 --store sqlite --out docs
growth: .venv  ## what Create, List and Get cost in stores of 1 000, 10 000 and 100 000 interceptions
	@GRPC_ENABLE_FORK_SUPPORT=0 $(BIN)/turnback-load growth $(GROWTH)

MINUTES ?= 60
SEEDS ?= 500
SIZE ?= 200
soak: .venv  ## seeds of the simulation and kills on both stores; goes on where simulation.json and crash.json end
	@$(BIN)/python -m tests.soak --minutes $(MINUTES) --seeds $(SEEDS) --size $(SIZE)

teeth: .venv  ## plant every bug of the table, and have it found
	@$(BIN)/python -W ignore -m tests.simulation.planted --jobs 2 --out docs/planted.md

proto: .venv  ## regenerate gateway/pb from proto/
	@$(BIN)/python -m tests.generate

lock: .venv  ## resolve requirements.lock anew from pyproject.toml (needs uv)
	@uv pip compile --universal --python-version 3.11 --group dev pyproject.toml --no-header --no-annotate --upgrade --output-file requirements.lock --quiet

clean:
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
