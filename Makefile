# Every goal sets up what it needs by itself: a fresh clone, make and a Python are enough.
#
#   make demo     train on handwritten digits, save, load, show      (examples/digits.py)
#   make test     run the tests, two at a time                       (ARGS="-k name -x" goes to pytest)
#   make coverage the branches of arrays and derivatives that tests reach (at least 95 %)
#   make lint     ruff check and ruff format --check
#   make bench    measure minpy beside Keras, PyTorch, JAX, Gluon    (ARGS="--quick"; docs/performance.md)
#   make numpy-suite  run NumPy's own tests on minpy.numpy              (docs/arrays.md)
#   make keras    ask Keras for the numbers of the tests anew            (docs: CONTRIBUTING.md)
#   make clean    remove what the goals wrote, except the environment; make distclean: that too
#
# PYTHON=python3.12 picks the Python that a new environment is made with, VENV=folder its place.

VENV ?= .venv
ARGS ?=

# How many tests run at a time; 0 runs them in one process, which a debugger needs.
WORKERS ?= 2

# What minpy is measured against has an environment of its own; see benchmarks/requirements.txt.
BENCH_VENV ?= .venv-bench
PIP_INSTALL ?=

# The first of these that fits makes the environment.
PYTHONS := $(if $(PYTHON),$(PYTHON),python3 python3.12 python3.11 python3.10)
FITTING := 3.10, 3.11 or 3.12

BIN := $(VENV)/bin
INSTALLED := $(VENV)/minpy-installed
PEERS := $(BENCH_VENV)/peers-installed

.DEFAULT_GOAL := help
.PHONY: help setup demo test coverage lint bench numpy-suite keras clean distclean

help:
	@sed -n 's/^#   //p' Makefile

setup: $(INSTALLED)

demo: $(INSTALLED)
	@$(BIN)/python examples/digits.py

test: $(INSTALLED)
	@$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

# The topics' own tests: what training happens to run of them doesn't count.
CORE_TESTS := $(wildcard tests/test_a[ru]*.py tests/test_inplace*.py tests/test_numpy_*.py) \
	tests/test_context.py tests/test_functional.py tests/test_graph.py tests/test_host_operator.py \
	tests/test_minpy_0_3_4_core.py tests/test_policy.py tests/test_primitives.py \
	minpy/array.py minpy/primitives.py minpy/inplace.py minpy/autograd minpy/numpy

coverage: $(INSTALLED)
	@$(BIN)/python -m pytest --cov --cov-fail-under=95 $(CORE_TESTS) $(ARGS)

lint: $(INSTALLED)
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

bench: $(INSTALLED) $(PEERS)
	@$(BIN)/python -m benchmarks --peer-python $(BENCH_VENV)/bin/python $(ARGS)

numpy-suite: $(INSTALLED)
	@$(BIN)/python tools/numpy_suite.py --failures $(ARGS)

# Each generator needs the backend that its docstring names.
keras: $(PEERS)
	@for file in $$(grep -l '__name__ == "__main__"' tests/keras_*.py); do \
		backend=$$(sed -n 's/.*KERAS_BACKEND=\([a-z]*\) python.*/\1/p' $$file | head -1); \
		echo "$$file ($$backend)"; \
		KERAS_BACKEND=$$backend $(BENCH_VENV)/bin/python $$file >/dev/null || exit 1; \
	done

$(PEERS): benchmarks/requirements.txt | $(INSTALLED)
	@if [ ! -e $(BENCH_VENV)/bin/python ]; then \
		chosen=; \
		for python in $(BIN)/python $(PYTHONS); do \
			if "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then chosen=$$python; break; fi; \
		done; \
		[ -n "$$chosen" ] || { echo "make bench: Keras needs Python 3.11 or 3.12: give PYTHON=/path/to/python3.12" >&2; exit 1; }; \
		"$$chosen" -m venv $(BENCH_VENV) || { rm -rf $(BENCH_VENV); exit 1; }; \
	fi; \
	echo "Installing Keras, TensorFlow, JAX and PyTorch into $(BENCH_VENV) (once; 2 GB)"; \
	$(BENCH_VENV)/bin/python -m pip install -qq --disable-pip-version-check $(PIP_INSTALL) -r benchmarks/requirements.txt
	@touch $@

# This file is touched last: it is there and newer than the requirements when all of it went well,
# and then no goal installs anything. pip says only what went wrong.
$(INSTALLED): pyproject.toml setup.py
	@fits() { "$$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; }; \
	version() { "$$1" -c 'import platform; print(platform.python_version())' 2>/dev/null; }; \
	if [ -e $(BIN)/python ]; then \
		fits $(BIN)/python || { \
			echo "minpy needs Python $(FITTING); $(VENV) has $$(version $(BIN)/python || echo a broken one): remove it or give VENV=another-folder" >&2; exit 1; }; \
	else \
		chosen=; found=; \
		for python in $(PYTHONS); do \
			if fits "$$python"; then chosen=$$python; break; fi; \
			number=$$(version "$$python") && found="$$found$${found:+, }$$number ($$python)"; \
		done; \
		[ -n "$$chosen" ] || { \
			echo "minpy needs Python $(FITTING); found $${found:-none}: install one, or give PYTHON=/path/to/python3.12" >&2; exit 1; }; \
		echo "Making $(VENV) with Python $$(version "$$chosen")"; \
		"$$chosen" -m venv $(VENV) || { rm -rf $(VENV); exit 1; }; \
	fi; \
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null || exit 1; \
	echo "Installing minpy and what it needs into $(VENV) (once; a minute or two)"; \
	$(BIN)/python -m pip install -qq --disable-pip-version-check -e '.[test,examples]'
	@touch $@

clean:
	rm -rf build dist out minpy.egg-info .pytest_cache .ruff_cache .hypothesis .benchmarks .coverage
	find minpy tests examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

distclean: clean
	rm -rf $(VENV) $(BENCH_VENV)
