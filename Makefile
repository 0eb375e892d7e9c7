# Two commands matter: `make demo` and `make test`. Each makes .venv itself.
PYTHON ?= python3
BIN := .venv/bin
export OMP_NUM_THREADS ?= 1
# Tests are rewritten by pytest as they are collected; kept, that is half of the next collection's time.
unexport PYTHONDONTWRITEBYTECODE
# In a container everybody is root; Jupyter wants to be told that this is meant.
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

.PHONY: demo test check fast fix cov lab bench mutants clean

demo: .venv/demo
	$(BIN)/workbench demo --out out

lab: .venv/demo
	$(BIN)/jupyter lab --ServerApp.root_dir=notebooks $(AS_ROOT)

test: check
	$(BIN)/pytest -n 2 --dist loadfile -m "not browser"
	$(BIN)/pytest -p nbval --nbval-lax --nbval-sanitize-with tests/notebooks/sanitize.cfg --nbval-cell-timeout=120 \
		-p no:cacheprovider notebooks
	$(BIN)/pytest -m browser tests/browser

check: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# After each edit, under a minute: lint, types and layers (each keeps what it found last time), then the tests of
# what everything stands on. The rest, FAST='tests/methods tests/draw' or so.
FAST ?= workbench/core workbench/draw tests/core tests/coalitions tests/trees tests/compare tests/test_compare.py \
	tests/test_doors.py tests/test_files_are_short.py tests/study/test_run.py
fast: check
	$(BIN)/pytest -q -n 2 -m "not browser and not wheel" $(FAST)

fix: .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Which lines the tests run: printed, no threshold.
cov: .venv/dev
	$(BIN)/pytest -q -n 2 --dist loadfile -m "not browser and not wheel" --cov=workbench --cov-report=term-missing:skip-covered

# Times everything beside its peers and writes docs/benchmarks.md; BENCH=--quick only shows that it runs.
bench: .venv/dev
	$(BIN)/python -m pip install --quiet 'xgboost-cpu>=3,<4' 'lightgbm>=4,<5'
	$(BIN)/python -m tests.benchmarks $(BENCH)

# By hand, not in CI: which of 120 small faults, put into a copy of the tree, the tests see; an hour or two on
# two cores. MUTANTS='--seed 1' draws others, '--list' only shows them, '--room compare' takes one room's.
mutants: .venv/dev
	$(BIN)/python -m tests.mutants $(MUTANTS)

clean:
	rm -rf .venv out artifacts build dist .coverage .pytest_cache .mypy_cache .ruff_cache

.venv/demo: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e '.[all]'
	touch $@

.venv/dev: pyproject.toml .venv/demo
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	touch $@
