# Everything a clone needs, from nothing: `make demo` and `make test`.
# On a machine of your own, with a display, `make demo` opens the window and stays.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
SCREEN := xvfb-run -a -s "-screen 0 1600x1000x24"

.PHONY: help setup libraries demo test lint bench clean

help:
	@echo "make demo    segment a real brain MR and show it in napari (results in demo_output/)"
	@echo "make test    the tests, with real windows on a virtual screen"
	@echo "make lint    ruff, mypy, import-linter"
	@echo "make bench   the benchmarks: figures and ratios (a quarter of an hour)"

setup: $(READY)

$(READY): pyproject.toml constraints.txt scripts/setup
	PYTHON=$(PYTHON) VENV=$(VENV) sh scripts/setup
	@touch $(READY)

libraries:
	@sh scripts/system-libraries

# Without the libraries there is no picture, but all the rest: say what to install, and go on.
demo: $(READY)
	@sh scripts/system-libraries || true
	$(BIN)/napari-resmed demo

test: libraries $(READY)
	$(SCREEN) $(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/npe2 validate napari_resmed

bench: libraries $(READY)
	$(SCREEN) $(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) demo_output build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
