# Everything a clone needs, from nothing: `make demo` and `make test`.
# On a machine of your own, with a display, `make demo` opens the window and stays.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
SCREEN := xvfb-run -a -s "-screen 0 1600x1000x24"
SLICER := .venv-slicer
# slicer-core, which brings real MRML, exists for these.
MRML   := import sys, platform; sys.exit(not ((3, 10) <= sys.version_info[:2] <= (3, 13) and \
          platform.machine() in ("x86_64", "AMD64")))

.PHONY: help setup libraries demo test test-slicer lint bench clean

help:
	@echo "make demo    segment a real brain MR and show it in napari (results in demo_output/)"
	@echo "make test    the tests, with real windows on a virtual screen"
	@echo "make test-slicer   the 3D Slicer module's alone, against real MRML"
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
	$(SCREEN) $(BIN)/python -m pytest -n 2 --dist loadfile
	@$(MAKE) --no-print-directory test-slicer

# In an environment of their own: MRML wants its own vtk, and the core should need nothing else.
test-slicer: libraries
	@if $(PYTHON) -c '$(MRML)'; then $(MAKE) --no-print-directory $(SLICER)/.ready && \
	    $(SCREEN) $(SLICER)/bin/python -m pytest tests/slicer -p no:cacheprovider; \
	else echo "The Slicer tests are left out: slicer-core has no package for this Python or machine."; fi

$(SLICER)/.ready: pyproject.toml constraints.txt scripts/setup-slicer
	PYTHON=$(PYTHON) VENV=$(SLICER) sh scripts/setup-slicer
	@touch $@

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/npe2 validate napari_resmed

bench: libraries $(READY)
	$(SCREEN) $(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) $(SLICER) demo_output build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
