# Everything here sets itself up: Python 3.11 or newer is all a fresh machine needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install -qq
PROFILE ?= typical
SEEDS ?= 500
REF ?= HEAD

.PHONY: demo test simulate mutants lock dist format clean

demo: $(VENV)/.lab
	@$(BIN)/nvaha lab demo --profile $(PROFILE)

test: $(VENV)/.dev
	@PATH="$(abspath $(BIN)):$$PATH" ./.ci/checks

format: $(VENV)/.dev
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

simulate: $(VENV)/.dev
	$(BIN)/python -m tests.simulation --seeds $(SEEDS)

mutants: $(VENV)/.dev
	$(BIN)/python -m tests.mutants

lock: $(VENV)/.dev
	$(BIN)/python -m requirements.lock

dist: $(VENV)/.dev
	@PATH="$(abspath $(BIN)):$$PATH" ./.ci/dist $(REF)

clean:
	rm -rf $(VENV) .cache build dist *.egg-info

# Whole is what has a pip: on Debian a Python without python3-venv leaves half an environment behind.
define environment
	@test -x $(BIN)/pip || { $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "$(PYTHON) is Python %d.%d; 3.11 or newer is needed: make $(MAKECMDGOALS) PYTHON=python3.13" % sys.version_info[:2])' && \
		echo "Setting up $(VENV) (once, a minute or two) …" && $(PYTHON) -m venv $(VENV); }
endef

# The demo needs the lab's packages only; tests and checks need the rest too.
$(VENV)/.lab: requirements/lab.txt pyproject.toml
	$(environment)
	@$(PIP) -r requirements/lab.txt && $(PIP) --no-deps --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml
	$(environment)
	@$(PIP) -r requirements/dev.txt && $(PIP) --no-deps --editable .
	@touch $@ $(VENV)/.lab
