# Each target sets up what it needs: a machine with make and Python 3.11, 3.12 or 3.13 is enough.
# The newest that works is taken: a command that is there may fail, as pyenv's do for a version that is not active.
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11; do \
	if $$python -c 'import ensurepip' 2>/dev/null; then echo $$python; break; fi; done)
FOUND_PYTHON = $(or $(PYTHON),$(error none of python3.13, python3.12 and python3.11 works here; name one: make PYTHON=PATH))
BIN := .venv/bin
DATA ?= ../shared/data

.PHONY: demo setup test test-wheel lint bench clean

demo: setup
	$(BIN)/textapp demo

setup: .venv/installed

test: setup
	$(BIN)/python -m pytest -n auto --dist loadfile

# The wheel, made from the source distribution, in an environment of its own that has the base install and nothing else.
test-wheel: setup
	rm -rf dist build .venv-wheel
	$(BIN)/python -m build --outdir dist .
	$(FOUND_PYTHON) -m venv .venv-wheel
	.venv-wheel/bin/python -m pip install --quiet dist/*.whl
	$(BIN)/python tests/wheel.py dist .venv-wheel/bin/python

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# Hours. Each part can be stopped and goes on where it was; results/README.md says what each one shows.
bench: .venv/installed-bench
	$(BIN)/python -m benchmarks.tokenizer_parity --data $(DATA)
	$(BIN)/python -m benchmarks.training_speed --data $(DATA)
	$(BIN)/python -m benchmarks.accuracy --data $(DATA)
	$(BIN)/python -m benchmarks.latency --data $(DATA)
	$(BIN)/python -m benchmarks.word_vectors --data $(DATA) --growth --memory
	$(BIN)/python -m benchmarks.vectors_case_study --data $(DATA)
	$(BIN)/python -m benchmarks.alignment --data $(DATA)
	$(BIN)/python -m benchmarks.tagging --data $(DATA)
	$(BIN)/python -m benchmarks.decoding
	$(BIN)/python -m benchmarks.compression --data $(DATA)
	$(BIN)/python -m benchmarks.quantization
	$(BIN)/python -m benchmarks.budget --data $(DATA)
	$(BIN)/python -m benchmarks.tagger_students --data $(DATA)

.venv/installed: pyproject.toml
	$(FOUND_PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e '.[train,dev]'
	touch $@

.venv/installed-bench: .venv/installed
	$(BIN)/python -m pip install --quiet -e '.[train,chinese,dev,bench]'
	touch $@

clean:
	rm -rf .venv .venv-wheel demo build dist *.egg-info
