# `make demo` shows it working on this machine; `make test` checks everything. Both make their own environment.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
.DEFAULT_GOAL := help
.PHONY: help demo test lint types layers shell audit unit chaos fuzz hostile faults races real-agents install system hosts
.PHONY: clean crashes soak bench bench-quick bench-counts bench-page bench-plots bench-tools

help: ## Show what there is to make
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

demo: $(VENV)/.installed ## Converge the quickstart fleet on this machine, and show it
	@PATH="$(CURDIR)/$(BIN):$$PATH" bash examples/demo.sh

test: system $(VENV)/.installed lint types layers shell audit bench-counts unit ## Lint, types, layers, shellcheck, advisories and all tests

$(VENV)/.installed: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --upgrade pip
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

install: $(VENV)/.installed ## Install into .venv, with what the tests need

system: ## Install the system packages that the tests need (as root on Debian or Ubuntu)
	@bash tests/system.sh

lint: $(VENV)/.installed ## ruff
	@$(BIN)/ruff check reconciler tests benchmarks
	@$(BIN)/ruff format --check reconciler tests benchmarks

types: $(VENV)/.installed ## mypy --strict
	@$(BIN)/mypy

layers: $(VENV)/.installed ## import-linter: layers, purity, one door per library
	@$(BIN)/lint-imports

shell: ## shellcheck and bash -n
	@git ls-files '*.sh' | xargs shellcheck -S warning

audit: $(VENV)/.installed ## Floors of pyproject.toml, and advisories against what an installation brings
	@$(BIN)/python -m tests.audit

# Most tests wait for something most of the time, so there are more workers than cores, and the simulation, which never
# waits, takes what they leave. Dozens of machines with their own sshd share those cores: what failed beside them is tried
# once more alone.
unit: $(VENV)/.installed ## All tests, and 50,000 simulated schedules beside them
	@mkdir -p .cache; nice -n 19 $(BIN)/python -m tests.simulation >.cache/simulation.txt 2>&1 & simulation=$$!; \
	$(BIN)/pytest -n 4 --dist loadfile --durations 12 || \
	  { echo "what failed is tried once more, alone:"; $(BIN)/pytest --last-failed --last-failed-no-failures none; }; \
	tests=$$?; wait $$simulation; simulated=$$?; cat .cache/simulation.txt; exit $$((tests | simulated))

chaos: $(VENV)/.installed ## Faults on real hosts, and judgement (root): MINUTES=10 SEED=7 HOSTS=5
	@$(BIN)/python -m tests.chaos --minutes $(or $(MINUTES),10) --hosts $(or $(HOSTS),5) $(if $(SEED),--seed $(SEED))

simulate: $(VENV)/.installed ## Controllers, hosts and git under every fault, simulated: N=1000000 SEED=7, REPLAY=<seed>
	@$(BIN)/python -m tests.simulation --faults --count $(or $(N),50000) --seed $(or $(SEED),1) $(if $(REPLAY),--replay $(REPLAY))

fuzz: $(VENV)/.installed ## Look for inputs that break a reader: TARGET=yaml MINUTES=10
	@$(BIN)/python -m tests.fuzz $(or $(TARGET),yaml) $(or $(MINUTES),10) $(SEED)

hostile: $(VENV)/.installed ## Hosts that tell every lie there is, several times: ROUNDS=3
	@LIES=all ROUNDS=$(or $(ROUNDS),3) $(BIN)/pytest -q -s tests/hostile

faults: $(VENV)/.installed ## Kill the host scripts at every command that writes, and fill the disk there (a quarter of an hour)
	@RECONCILER_FAULTS=all $(BIN)/pytest tests/remote/faults -q -s

races: $(VENV)/.installed ## Race launches of N runs against each other, kills and settles (N=3600, SEED=4)
	@RECONCILER_RACES=$(or $(N),3600) RECONCILER_RACES_SEED=$(or $(SEED),4) $(BIN)/pytest tests/remote/test_races.py -q -s

real-agents: $(VENV)/.installed ## Fleets with the real codex and claude from npm, and a model API on this machine
	@RECONCILER_REAL_AGENTS=1 $(BIN)/pytest tests/real -q

crashes: $(VENV)/.installed ## Kill the controller at every boundary of its effects, over real sshd (an hour or two), or N=60 of them
	@CRASHES=$(or $(N),100000) $(BIN)/pytest tests/e2e/test_crashes.py -q

soak: $(VENV)/.installed ## A daemon for CYCLES=10000 cycles with faults (root): what it holds must not grow
	@$(BIN)/python -m tests.soak $(or $(CYCLES),10000) $(or $(SEED),7)

bench: bench-tools ## Measure everything beside its peers, in one table (root): ONLY="latency idle" JSON=FILE
	@PYTHONPATH= $(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY)) $(if $(JSON),--json $(JSON))

bench-quick: bench-tools ## The same with smaller sizes, in two minutes
	@PYTHONPATH= $(BIN)/python -m benchmarks --quick $(if $(ONLY),--only $(ONLY)) $(if $(JSON),--json $(JSON))

bench-counts: $(VENV)/.installed ## Count processes, bytes and function calls instead of seconds; KEEP=1 writes them down
	@PYTHONPATH= $(BIN)/python -m benchmarks.counts $(if $(KEEP),--keep)

bench-page: $(VENV)/.installed ## Put the figures of benchmarks/figures.json into docs/performance.md
	@PYTHONPATH= $(BIN)/python -m benchmarks.page

bench-plots: .cache/plots/.installed ## Draw how costs grow, from benchmarks/figures.json
	@PYTHONPATH= .cache/plots/bin/python -m benchmarks.plots

.cache/plots/.installed: benchmarks/plots.txt
	@test -x .cache/plots/bin/python || $(PYTHON) -m venv .cache/plots
	@.cache/plots/bin/pip install --quiet --disable-pip-version-check --requirement benchmarks/plots.txt
	@touch $@

bench-tools: system .cache/peers/.installed ## Install what is measured beside us: ansible and pyinfra, and Slurm (as root on Debian)
	@bash benchmarks/system.sh

# The peers have an environment of their own, so that none of what they need is ever there when ours is tested.
.cache/peers/.installed: $(VENV)/.installed benchmarks/requirements.txt
	@test -x .cache/peers/bin/python || $(PYTHON) -m venv .cache/peers
	@.cache/peers/bin/pip install --quiet --disable-pip-version-check --requirement benchmarks/requirements.txt
	@touch $@

hosts: $(VENV)/.installed ## Start three throw-away hosts on this machine, to try things by hand (root)
	@$(BIN)/python -m tests.machines up 3

clean: ## Remove the environment and caches
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
