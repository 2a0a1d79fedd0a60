# Each target sets up what it needs: a machine with make and Python 3.11, 3.12 or 3.13 is enough.
# The newest that works is taken: a command that is there may fail, as pyenv's do for a version that is not active.
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11; do \
	if $$python -c 'import ensurepip' 2>/dev/null; then echo $$python; break; fi; done)
FOUND_PYTHON = $(or $(PYTHON),$(error none of python3.13, python3.12 and python3.11 works here; name one: make PYTHON=PATH))
BIN := .venv/bin
DATA ?= ../shared/data

.PHONY: demo setup lock test test-native test-clients test-ios test-next test-jax test-wheel test-notebooks notebooks docs lint bench bench-native bench-clients clean

demo: setup
	$(BIN)/textapp demo

setup: .venv/installed .venv/core

# Compiles the core again where its sources have changed. Without a C compiler, bundles run on LiteRT.
.venv/core: $(wildcard native/src/* native/include/* native/kernels.txt native/library.py) | .venv/installed
	-$(BIN)/python native/library.py
	touch $@

# Those of the core in C are those of test-native.
test: setup
	$(BIN)/python -m pytest -n auto --dist loadfile --durations=15 --ignore=tests/native

# The core in C: with each compiler that is here, with addresses checked, and for other processors; what is missing is
# skipped with its reason.
test-native: setup
	$(BIN)/python native/check.py

# What apps add, in each way that has its tools here; what is missing is skipped with its reason.
test-clients: setup
	$(BIN)/python clients/check.py

# The Swift package, where a Swift compiler is found.
test-ios: setup
	$(BIN)/python clients/check.py ios

# Layers and models with the Keras of tomorrow: what it changes is known before it is released.
test-next: .venv-next/installed
	.venv-next/bin/python -m pip install --quiet --force-reinstall --no-deps keras-nightly
	.venv-next/bin/python -m pytest tests/layers tests/models tests/test_conformance.py

# Layers and models with Keras on JAX; TensorFlow is there too, as some tests compare with it.
test-jax: .venv-jax/installed
	KERAS_BACKEND=jax .venv-jax/bin/python -m pytest tests/layers tests/models

# The wheel, made from the source distribution, in an environment of its own that has the base install and nothing else.
test-wheel: setup
	rm -rf dist build .venv-wheel
	$(BIN)/python -m build --outdir dist .
	$(FOUND_PYTHON) -m venv .venv-wheel
	.venv-wheel/bin/python -m pip install --quiet dist/*.whl
	$(BIN)/python tests/wheel.py dist .venv-wheel/bin/python

# Runs the notebooks from an empty kernel; `make notebooks` also keeps their new outputs.
test-notebooks: .venv/installed-docs
	$(BIN)/python notebooks/run.py

notebooks: .venv/installed-docs
	$(BIN)/python notebooks/run.py --write

# The site, in build/docs/site: any warning fails, such as a broken link.
docs: .venv/installed-docs
	$(BIN)/python docs/generated.py
	$(BIN)/python docs/site.py

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# Hours. Each part can be stopped and resumes; results/README.md says what each one shows.
bench: .venv/installed-bench
	$(BIN)/python -m benchmarks.tokenizer_parity --data $(DATA)
	$(BIN)/python -m benchmarks.training_speed --data $(DATA)
	$(BIN)/python -m benchmarks.accuracy --data $(DATA)
	$(BIN)/python -m benchmarks.any_data --data $(DATA) --folds
	$(BIN)/python -m benchmarks.encoders --data $(DATA)
	$(BIN)/python -m benchmarks.latency --data $(DATA)
	$(BIN)/python -m benchmarks.word_vectors --data $(DATA) --growth --memory
	$(BIN)/python -m benchmarks.vector_shards --data $(DATA)
	$(BIN)/python -m benchmarks.vectors_case_study --data $(DATA)
	$(BIN)/python -m benchmarks.alignment --data $(DATA)
	$(BIN)/python -m benchmarks.decoding
	$(BIN)/python -m benchmarks.changed_labels --data $(DATA)
	$(BIN)/python -m benchmarks.compression --data $(DATA)
	$(BIN)/python -m benchmarks.quantization
	$(BIN)/python -m benchmarks.budget --data $(DATA)
	$(BIN)/python -m benchmarks.reliability

# The core in C beside other runtimes: half an hour on a quiet machine; then its equality and safety: two hours, and each
# can be stopped and resumes.
bench-native: .venv/installed-bench
	$(BIN)/python -m benchmarks.native --data $(DATA)
	$(BIN)/python -m benchmarks.native_size
	$(BIN)/python -m benchmarks.native_kernels
	$(BIN)/python -m benchmarks.native_equality --data $(DATA)
	$(BIN)/python -m benchmarks.native_safety
	$(BIN)/python -m benchmarks.web

# The clients, on a bundle of a classifier and one of a tagger, the runs that they were exported from, and a text on each
# line of a file; see results/README.md. It can be stopped and resumes.
bench-clients: .venv/installed-bench
	$(BIN)/python -m benchmarks.clients --classifier $(CLASSIFIER) --tagger $(TAGGER) --texts $(TEXTS) \
		$(if $(CLASSIFIER_RUN),--classifier-run $(CLASSIFIER_RUN)) $(if $(TAGGER_RUN),--tagger-run $(TAGGER_RUN))

# The versions and hashes of constraints.txt, so that a build in a year is that of today. pip first: an old one, and an
# old setuptools, come with Python. pip cannot check the hash of a folder: the project is installed last and alone.
# Packages without a wheel are built by the locked builders, too.
define INSTALL
grep -E '^(pip|setuptools)==' constraints.txt > $(1)/builders.txt
$(1)/bin/python -m pip install --quiet --require-hashes -r $(1)/builders.txt
$(1)/bin/python lock.py --requirements $(2) > $(1)/requirements.txt
$(1)/bin/python -m pip install --quiet --require-hashes -c constraints.txt --build-constraint constraints.txt -r $(1)/requirements.txt
$(1)/bin/python -m pip install --quiet --quiet --no-deps --no-build-isolation -e .
endef

.venv/installed .venv-next/installed .venv-jax/installed: pyproject.toml constraints.txt lock.py
	$(FOUND_PYTHON) -m venv $(@D)
	$(call INSTALL,$(@D),train tune crf dev)
	$(if $(ADDED),$(@D)/bin/python -m pip install --quiet $(ADDED))
	$(if $(REMOVED),$(@D)/bin/python -m pip uninstall --quiet --yes $(REMOVED))
	touch $@

# Not locked: these two environments show what the newest Keras and JAX change.
.venv-next/installed: REMOVED = keras
.venv-jax/installed: ADDED = jax

.venv/installed-bench: .venv/installed
	$(call INSTALL,.venv,train tune crf chinese dev bench)
	touch $@

.venv/installed-docs: .venv/installed
	$(call INSTALL,.venv,train tune dev docs)
	touch $@

# Resolves the ranges of pyproject.toml again. Needs each of these Pythons; about five minutes.
LOCKED ?= python3.11 python3.12 python3.13
lock: setup
	$(BIN)/python lock.py $(LOCKED)

clean:
	rm -rf .venv .venv-next .venv-jax .venv-wheel demo build dist notebooks/work *.egg-info
