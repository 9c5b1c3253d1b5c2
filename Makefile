# Needs nothing but make and Python 3.11 or newer. Another Python: make demo PYTHON=python3.13
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
CONSTRAINTS := constraints.txt

.PHONY: help demo test check wheel pins clean

help:
	@echo "make demo    install into $(VENV), learn handwritten digits for two minutes, draw new ones"
	@echo "make test    install what the tests need and run them"
	@echo "make check   ruff and pyright"
	@echo "make wheel   build dist/*.whl"
	@echo "make pins    write what is installed into $(CONSTRAINTS)"
	@echo "make clean   remove $(VENV), dist and caches; runs/ stays"

demo: $(VENV)/.installed
	$(BIN)/sparring train digits --out runs/demo --minutes 2 --overwrite
	@echo "       ('. $(BIN)/activate' puts sparring on the path; without it, call $(BIN)/sparring)"

test: $(VENV)/.installed-tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile $(ARGS)

check: $(VENV)/.installed-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python

wheel: $(VENV)/.installed-tests
	$(BIN)/python -m build --wheel --no-isolation --outdir dist .

pins: $(VENV)/.installed-tests
	@{ sed -n '/^#/p' $(CONSTRAINTS) 2>/dev/null; \
	   $(PIP) freeze --all --exclude-editable --exclude pip | sed 's/+cpu$$//'; } > $(CONSTRAINTS).new
	@mv $(CONSTRAINTS).new $(CONSTRAINTS)
	@touch $(VENV)/.installed $(VENV)/.installed-tests

clean:
	rm -rf $(VENV) dist build .pytest_cache .ruff_cache .hypothesis

# The files below mark what was installed, so that a second call starts at once.
$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "sparring needs Python 3.11 or newer, and '$(PYTHON)' is $$($(PYTHON) --version 2>&1 | head -n 1);" \
	       "name a newer one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.python pyproject.toml $(CONSTRAINTS)
	$(PIP) install -c $(CONSTRAINTS) -e .
	@touch $@

$(VENV)/.installed-tests: $(VENV)/.python pyproject.toml $(CONSTRAINTS)
	$(PIP) install -c $(CONSTRAINTS) -e '.[test]'
	@touch $(VENV)/.installed $@
