# Two commands: `make demo` and `make test`. Both set themselves up; python3 (3.11 or later) and make are enough.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet

.DEFAULT_GOAL := help
.PHONY: help demo test faults soak bench check contracts mutate lock clean

help:
	@echo "make demo    la démonstration, de bout en bout    the whole job, told as a story"
	@echo "make test    les essais, avec la couverture       the tests, with coverage"
	@echo "make faults  pannes et morts subites, 50 fois      faults and sudden deaths, 50 times"
	@echo "make soak    une heure de morts subites            an hour of sudden deaths, both databases"
	@echo "make bench   toutes les mesures, et leurs buts    every figure, and its aim"
	@echo "make check   style, types, architecture           style, types, architecture"
	@echo "make contracts  WSDL, XSD, OpenAPI, pages          what is made from the contracts"
	@echo "make mutate  chaque garde ôtée, son essai rougit   each check removed, its test turns red"

demo: $(VENV)/.run
	@$(BIN)/passerelle demo

# Twice as many at a time as two cores: most of them wait, for real processes. Those that try thousands of cases are not
# measured (tests/conftest.py): tracing would double the time of the whole.
PYTEST := $(BIN)/python -m pytest -n 4 --dist worksteal -rsfE
test: $(VENV)/.dev
	@$(BIN)/coverage erase
	@echo "$(PYTEST) --cov"; status=0; \
	$(PYTEST) -m "not unmeasured" --cov --cov-report=term || status=$$?; \
	$(PYTEST) -m unmeasured || status=$$?; \
	exit $$status

# Each fault is in `make test` once; here those at random moments come FAULT_ROUNDS times. As root, or some are skipped.
faults: $(VENV)/.dev
	FAULT_ROUNDS=$${FAULT_ROUNDS:-50} $(BIN)/python -m pytest -n 2 -rsfE -o faulthandler_timeout=3600 tests/faults

# Half of the time on each database: random kill -9, then the reckoning. Its counts come into var/faults.txt.
soak: $(VENV)/.dev
	SOAK_SECONDS=$$(( $${SOAK_SECONDS:-3600} / 2 )) $(BIN)/python -m pytest -n 0 -rsfE \
		-o timeout=0 -o faulthandler_timeout=0 tests/soak

# Half an hour on two cores, nothing else running: a log of 200,000 exchanges is made and audited, among others. QUICK=1
# shows in some minutes that all of them run; PARTS="run ledger" picks some.
bench: $(VENV)/.dev
	$(BIN)/python benchmarks/all.py $(if $(QUICK),--quick) $(PARTS)

check: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m contracts.generate --check

# After each change of a contract or of the table of errors; what it writes is committed, and `make check` compares.
contracts: $(VENV)/.run
	$(BIN)/python -m contracts.generate

# A quarter of an hour; not part of CI. ONLY=pattern picks checks, JOBS=n how many at a time.
mutate: $(VENV)/.dev
	@$(BIN)/python -m tests.mutate --jobs $(or $(JOBS),2) --only '$(ONLY)'

# For whoever changes dependencies; needs uv. No registry's address enters the files.
lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header -q \
	  --extra build pyproject.toml -o requirements.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header -q \
	  --extra build --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock

clean:
	rm -rf $(VENV) var dist .coverage .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "Il faut python3 3.11 ou plus récent. / python3 3.11 or later is needed." >&2; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "Il manque venv à python3 / python3 lacks venv: apt install python3-venv" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements.lock pyproject.toml | $(BIN)/python
	@echo "Préparation de $(VENV) (une minute environ). / Setting up $(VENV) (about a minute)."
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	@echo "Ajout des outils d'essai. / Adding the test tools."
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@
