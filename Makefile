# fastgate: two commands matter, `make up` and `make test`. Everything is installed into .venv beside this file, with
# the exact versions of requirements/constraints.txt, from the package index that pip is configured for. The stamps in
# .venv make a second run quick and independent of the network.

PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
# What is compiled: the core, and each Python file with a layout (.pxd) beside it.
LAYOUTS := $(shell find src/fastgate -name '*.pxd' -not -path '*/_core/*')
CORE := $(wildcard $(addprefix src/fastgate/_core/*,.pyx .pxd .h)) $(LAYOUTS) $(LAYOUTS:.pxd=.py)
# hnswlib comes as source; without the switch it is built for this very processor and no older one.
PIP := HNSWLIB_NO_NATIVE=1 $(BIN)/python -m pip --disable-pip-version-check install -qq -c requirements/constraints.txt
# Half of the suite's time is waiting, so more tests run at a time than there are cores, those of one file in order, and
# the folders with the long files first. JOBS=0: one at a time.
JOBS ?= 3
PYTEST := PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m pytest

.PHONY: up test peers bench faults fuzz soak build install-test lock clean help
.DEFAULT_GOAL := help

help:
	@echo 'make up      install into .venv and run the gateway here: fastgate.yaml if there is one, else the demo'
	@echo 'make test    the whole test suite (ARGS="-k money" passes arguments to pytest)'
	@echo 'make peers   what only tests need: Claude Code, the SDKs, wrk, nginx (make test names what it skips without)'
	@echo 'make bench   the load suite; writes bench/README.md'
	@echo 'make faults  processes killed, cut and stalled, the long forms too'
	@echo 'make fuzz    the property tests with ten times the examples; every parser under atheris and sanitizers'
	@echo 'make soak    a million calls and a hundred thousand open streams: hours'
	@echo 'make clean   remove .venv and everything that was built'

up: $(VENV)/.compiled
	@exec $(BIN)/python scripts/foreground.py $(BIN)/fastgate $(if $(wildcard fastgate.yaml),serve,demo) $(ARGS)

test: install-test
	@$(PYTEST) -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

install-test: $(VENV)/.installed-test $(VENV)/.compiled

peers: install-test
	PATH="$(abspath $(BIN)):$$PATH" tests/peers/install.sh

$(VENV)/.made:
	@python=$$(scripts/preflight.sh $(PYTHON)) && echo "Making $(VENV) with $$python" && "$$python" -m venv $(VENV)
	@touch $@

# The build tools live in .venv too: a change of a .pyx is compiled without the network.
$(VENV)/.installed: pyproject.toml setup.py requirements/constraints.txt | $(VENV)/.made
	@echo 'Installing fastgate into $(VENV) and compiling its hot path: a minute or two, once'
	@$(BIN)/python scripts/requirements.py build run > $(VENV)/run.txt
	@$(PIP) -r $(VENV)/run.txt
	@$(BIN)/python scripts/requirements.py semantic > $(VENV)/semantic.txt
	@$(PIP) -r $(VENV)/semantic.txt || echo 'what cache.semantic needs cannot be installed here: it stays off'
	@$(PIP) --no-build-isolation --no-deps -e .
	@touch $@ $(VENV)/.compiled

$(VENV)/.installed-test: $(VENV)/.installed
	@echo 'Installing what the tests need'
	@$(BIN)/python scripts/requirements.py onnx test > $(VENV)/test.txt
	@$(PIP) -r $(VENV)/test.txt
	@touch $@

# The installation has just compiled what was there; only what changed since then is left.
$(VENV)/.compiled: $(CORE) setup.py | $(VENV)/.installed
	@[ -e $@ ] && [ -z "$$(find $? -newer $@)" ] || $(BIN)/python setup.py -q build_ext --inplace
	@touch $@

build: | $(VENV)/.made
	@$(BIN)/python setup.py -q build_ext --inplace

lock: # writes down the newest versions that pyproject.toml allows as the ones to install
	scripts/lock.sh $(PYTHON)

# ARGS="--check" fails when a goal is missed, ARGS="--quick" shows only that it runs. Needs wrk, nginx and perf.
bench: install-test
	$(BIN)/python -m bench.micro --out bench/micro.json
	$(BIN)/python -m bench.slow
	$(BIN)/python -m bench.overload
	$(BIN)/python -m bench.streams
	$(BIN)/python -m bench.profile
	$(BIN)/python -m bench.fleet
	$(BIN)/python -m bench.edits
	$(BIN)/python -m bench.cache
	$(BIN)/python -m bench.semantic
	$(BIN)/python -m bench.dryrun
	$(BIN)/python -m bench.load --out bench/load.json $(ARGS); status=$$?; $(BIN)/python -m bench.render; exit $$status

faults: install-test
	@$(PYTEST) -m faults --timeout=1800 $(ARGS)

# EXAMPLES=10000 and SECONDS_EACH=600 make a night of it.
fuzz: install-test $(VENV)/.installed-fuzz
	@HYPOTHESIS_PROFILE=fuzz $(PYTEST) -n $(JOBS) -m hypothesis --timeout=7200 $(ARGS)
	@scripts/fuzz.sh

# Its wheels exist for some Pythons and machines only; without it the targets run under a plain mutator.
$(VENV)/.installed-fuzz: | $(VENV)/.installed-test
	@$(PIP) 'atheris>=3.0' || echo 'make fuzz: atheris cannot be installed for this Python: a plain mutator stands in'
	@touch $@

# FASTGATE_SOAK_CALLS and FASTGATE_SOAK_STREAMS make it shorter, for machines with less memory or time.
soak: install-test
	@$(PYTEST) -m soak -s --timeout=14400 $(ARGS)

clean:
	rm -rf $(VENV) .peers build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests bench -name '*.so' -o -name '__pycache__' -prune | xargs -r rm -rf
