# Two commands matter: `make demo` and `make test`. Both do all set-up themselves.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check
STAMP  := $(VENV)/.forewarn
SHARED := ../shared/data
# Processes that share the tests out: most of them wait for servers. 0 runs them in one, as a debugger wants it.
WORKERS ?= 2
# The ordinary suite draws the same examples each run, the long ones search for rare ones.
test-all test-nightly: export FOREWARN_EXAMPLES ?= random
export FOREWARN_DATA ?= $(if $(wildcard $(SHARED)),$(abspath $(SHARED)),)

.PHONY: demo test test-all test-nightly lint format bench bench-peers web clean doctor

demo: $(STAMP)-platform
	@$(BIN)/forewarn demo $(ARGS)

test: $(STAMP)-dev lint
	@scripts/need-browser
	$(BIN)/python -m pytest -q -n $(WORKERS) -m "not slow and not nightly" $(ARGS)
	@scripts/web-test

test-all: $(STAMP)-dev lint
	@scripts/need-browser
	$(BIN)/python -m pytest -q -n $(WORKERS) -m "not nightly" $(ARGS)
	@scripts/web-test

# Outages of ten minutes against every peer: some hours.
test-nightly: $(STAMP)-dev
	$(BIN)/python -m pytest -q -m nightly -o timeout=3600 $(ARGS)

lint: $(STAMP)-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q -p no:cacheprovider tests/architecture

format: $(STAMP)-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)-dev
	$(BIN)/python -m benchmarks $(ARGS)

bench-peers: $(STAMP)-dev
	$(BIN)/python -m benchmarks.peers $(ARGS)

doctor: $(STAMP)-platform
	@$(BIN)/forewarn doctor

# The stamp names what was installed; a changed project file or lock installs again.
$(STAMP)-%: pyproject.toml constraints.txt hatch_build.py $(shell git ls-files web 2>/dev/null | grep -v '^web/node_modules')
	@scripts/need-python $(PYTHON)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing Forewarn [$*] into $(VENV) (a minute or two the first time)"
	@$(PIP) install --quiet --constraint constraints.txt --editable '.[$*]'
	@touch $@ $(if $(filter dev,$*),$(STAMP)-platform)

clean:
	rm -rf $(VENV) src/forewarn/static web/node_modules tests/peers/node_modules var .mypy_cache .ruff_cache .pytest_cache .hypothesis
