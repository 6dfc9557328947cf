# The whole loop of a developer: make check
PYTHON ?= python
JOBS ?= 2

.PHONY: check format lint types contracts test soak bench quality schemas docs

check: lint types contracts test

format:
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

lint:
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .

types:
	$(PYTHON) -m mypy

contracts:
	lint-imports

test:
	$(PYTHON) -m pytest -q -n $(JOBS)

# Faults that need minutes: long locks, many kills, twenty first starts of eight workers.
soak:
	$(PYTHON) -m pytest -q -m soak

bench:
	$(PYTHON) -m benchmarks.cold_start
	$(PYTHON) -m benchmarks.knn
	$(PYTHON) -m benchmarks.training
	$(PYTHON) -m benchmarks.recorder_memory
	$(PYTHON) -m benchmarks.all_scores
	$(PYTHON) -m benchmarks.tdds_memory
	$(PYTHON) -m benchmarks.policies
	$(PYTHON) -m benchmarks.pgd
	$(PYTHON) -m benchmarks.ann
	$(PYTHON) -m benchmarks.gnn
	$(PYTHON) -m benchmarks.augment
	$(PYTHON) -m benchmarks.bank
	$(PYTHON) -m benchmarks.prepare
	$(PYTHON) -m benchmarks.quickstart
	$(PYTHON) -m benchmarks.sweep
	$(PYTHON) -m benchmarks.plan
	$(PYTHON) -m benchmarks.tracking
	$(PYTHON) -m benchmarks.console

# Hours: every predictor on four suites of data, three whole-loop seeds.
quality:
	$(PYTHON) -m benchmarks.quality

schemas:
	$(PYTHON) -m core.schemas

docs:
	$(PYTHON) -m core.methods
