# The interpreter that .venv is made with, 3.11 or newer: `make test PYTHON=python3.12`
PYTHON ?= python3

VENV := .venv
BIN := $(VENV)/bin
ARROW := $(VENV)/arrow
ARROW_TESTS := tests/features tests/targets tests/tasks tests/export
INSTALL := -m pip install --disable-pip-version-check --quiet
PIP := $(BIN)/python $(INSTALL) --constraint constraints.txt

# The torch of `test-lowest` and `test-newest`: that of constraints.txt, as for some systems the build of another
# release is gigabytes. `make test-lowest TORCH=2.8.0` is the lower bound itself.
TORCH ?= $(shell sed -n 's/^torch==//p' constraints.txt)

.DELETE_ON_ERROR:
.PHONY: demo docs docs-quick test test-lowest test-newest fuzz lint types bench quality clean

demo: $(VENV)/.installed-examples
	$(BIN)/python examples/house_price_and_type.py

# The site, in build/docs, with what every example prints and draws; an example runs again when it was changed.
# Without them, in a minute: `make docs GALLERY=0`
GALLERY ?= 1
docs: $(VENV)/.installed-docs
	$(BIN)/python -m sphinx -W --keep-going -D plot_gallery=$(GALLERY) -d build/doctrees docs build/docs
	$(BIN)/python docs/site/check.py build/docs

# The same with a small part of each example, of which nothing is kept for `docs`.
docs-quick: $(VENV)/.installed-docs
	rm -rf docs/gallery
	EXAMPLES=--quick $(MAKE) docs; status=$$?; rm -rf docs/gallery; exit $$status

# Without pyarrow first, as most users are, then what knows of its columns with it: with it pandas keeps text
# otherwise too, so it is in a folder of its own.
test: lint types $(VENV)/.installed-arrow
	$(BIN)/python -m pytest -n 2
	PYTHONPATH=$(CURDIR)/$(ARROW) $(BIN)/python -m pytest -n 2 $(ARROW_TESTS)

# With the oldest releases that pyproject.toml allows, and with the newest: each in a folder of its own, and not
# part of `test`, as both take as long. What to run: `make test-lowest ARGS="tests/contract -x"`
test-lowest: $(VENV)-lowest/.installed
	$(VENV)-lowest/bin/python -m pytest -n 2 $(ARGS)

# Installed anew each time, as there may be newer releases by now.
test-newest: $(VENV)-newest/bin/python
	$< $(INSTALL) --upgrade --upgrade-strategy eager "torch==$(TORCH)" --editable ".[dev]"
	$< -m pytest -n 2 $(ARGS)

# Made-up files for `load`, five kinds of as many each: `make fuzz FUZZ_CASES=5000`
fuzz: export FUZZ_CASES ?= 1000
fuzz: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -s tests/export/test_fuzz.py

lint: $(VENV)/.installed-dev
	$(BIN)/python -m ruff check .

types: $(VENV)/.installed-dev
	$(BIN)/python -m mypy

# What to run: `make bench ARGS="one_fit predict --rounds 7"`
bench: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks $(ARGS)

# What to run: `make quality ARGS="--sets wine meats --splits 0"`
quality: $(VENV)/.installed-bench
	$(BIN)/python -m benchmarks.quality $(ARGS)

clean:
	rm -rf build dist docs/gallery docs/reference/examples docs/reference/generated docs/sg_execution_times.rst
	rm -rf .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -not -path './$(VENV)*' -prune -exec rm -rf {} +

# One thread a process: the tests run in two, and threads would fight over the cores.
test test-lowest test-newest: export OMP_NUM_THREADS := 1
test test-lowest test-newest: export MKL_NUM_THREADS := 1
test test-lowest test-newest: export OPENBLAS_NUM_THREADS := 1

$(BIN)/python $(VENV)-lowest/bin/python $(VENV)-newest/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, found " + sys.version.split()[0] + "; name one with PYTHON=")'
	$(PYTHON) -m venv $(@:/bin/python=)

# Torch goes first and alone, so that a slow or failing download of it is seen as such.
$(VENV)/.installed-torch: constraints.txt | $(BIN)/python
	$(PIP) torch
	touch $@

$(VENV)/.installed-examples: pyproject.toml constraints.txt $(VENV)/.installed-torch
	$(PIP) --editable ".[examples]"
	touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt $(VENV)/.installed-torch
	$(PIP) --editable ".[dev]"
	touch $@

$(VENV)/.installed-docs: pyproject.toml constraints.txt $(VENV)/.installed-torch
	$(PIP) --editable ".[docs]"
	touch $@

$(VENV)/.installed-bench: pyproject.toml constraints.txt $(VENV)/.installed-torch
	$(PIP) --editable ".[bench]"
	touch $@

$(VENV)/.installed-arrow: constraints.txt $(VENV)/.installed-dev
	$(PIP) --upgrade --target $(ARROW) --no-deps pyarrow
	touch $@

$(VENV)-lowest/.installed: pyproject.toml constraints-lowest.txt | $(VENV)-lowest/bin/python
	$(VENV)-lowest/bin/python $(INSTALL) --constraint constraints-lowest.txt "torch==$(TORCH)" --editable ".[dev]"
	touch $@
