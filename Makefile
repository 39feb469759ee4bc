# Thin verbs; the work is done by the package, pytest and the scripts in bench/.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo test pytest frameworks litex fuzz soak mutate mutate-python lint bench boards systems docs docs-links clean

setup: .venv/test

.venv/pip:
	$(PYTHON) -m venv .venv
	touch $@

.venv/demo: .venv/pip pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[demo]'
	touch $@

.venv/test: .venv/demo
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@

.venv/boards: .venv/test
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[boards]'
	touch $@

# Norse asks for torchvision, and Sinabs for drivers of its chips and an old NIR, which neither
# needs here.
.venv/frameworks: .venv/test
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[frameworks]'
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps norse==1.1.0 sinabs==3.1.3
	touch $@

.venv/mutate: .venv/test
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[mutate]'
	touch $@

.venv/litex: .venv/test
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[litex]'
	touch $@

.venv/train: .venv/test
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[train]'
	touch $@

# 1,000 real digits through the RTL, every spike and clock against the golden model.
demo: .venv/demo
	$(BIN)/spikeloom demo --output build/demo

# mypy has one process, so it runs beside the tests.
test: .venv/test
	$(MAKE) --no-print-directory --jobs 2 lint pytest

pytest: .venv/test
	$(BIN)/pytest -n 2 --dist worksteal

# Networks built, run and exported by each framework, imported and compared spike for spike.
frameworks: .venv/frameworks
	$(BIN)/pytest -rs tests/spikeloom/importer/frameworks tests/test_docs.py

# The SoC of docs/integration.md, elaborated by LiteX and simulated.
litex: .venv/litex
	$(BIN)/pytest -rs tests/sim/test_integration_page.py

# Broken programs, events, NIR files, command lines and link bytes: each is used or refused in one line.
# The line that the command prints, with its seed, does the same again.
fuzz: .venv/test
	$(BIN)/python tests/fuzz/fuzz.py --inputs $(or $(INPUTS),20000) --seed $(or $(SEED),$(shell date +%s))

# What `make test` leaves out. A million packets through the mesh: RTL and golden model in every clock,
# and a scoreboard. A network in the RTL of the other shapes and numbers of lanes. Ten thousand faults
# on the line of a virtual board. Most of the broken NIR graphs and files. Netlists of boards, baked
# ones too. The longest proof. New examples of every property, where `make test` draws the same ones
# each time. The line that make prints, with its seed, does the same again. `python -m bench.soak`
# spreads the same tests over a Dask cluster.
soak: SEED := $(or $(SEED),$(shell date +%s))
soak: .venv/test
	SPIKELOOM_PACKETS=$(or $(PACKETS),1000000) SPIKELOOM_SEED=$(SEED) \
		$(BIN)/pytest -n 2 --dist worksteal -rP -m 'soak or load or hypothesis' \
		--hypothesis-profile soak --hypothesis-seed $(SEED)

# Every mutant of hdl/, played what the benches send: build/mutants.json, and the table in
# docs/verification.md.
mutate: .venv/test
	rm -f build/mutants.json
	$(BIN)/python tests/mutation/campaign.py --document

# Mutants of the golden model and the importer. Says how long it takes, and goes on where it was
# stopped: build/python-mutants.
mutate-python: .venv/mutate
	$(BIN)/python tests/mutation/python_mutants.py

# mypy follows the links in spikeloom/; its report names the files where they are.
lint: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@report=$$($(BIN)/mypy); status=$$?; \
		echo "$$report" | sed -E 's#^spikeloom/(golden|hdl|sim|boards|examples)/#\1/#'; exit $$status

# Every figure, into build/bench.json and bench/record.json, from which README and docs/performance.md are
# written; ONLY="counted mesh" measures some. Takes DATA, the folder with the data sets.
bench: .venv/train
	$(BIN)/python -m bench --data $(or $(DATA),data) --output build/bench.json $(ONLY)

# Networks of other papers, in golden and RTL: docs/systems.md. Takes hours; ONLY="gupta radix" runs
# some. Each section is written when it is there.
systems: .venv/train
	$(BIN)/python -m examples.systems $(or $(DATA),data) $(ONLY)

# Every board built with five seeds: build/boards.json, and the table in the README. Takes hours.
boards: .venv/boards
	$(BIN)/python -m bench.boards --output build/boards.json

# The documentation site, build/docs/index.html. `make test` builds it, too.
docs: .venv/test
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs build/docs

# Links of the documentation to other sites.
docs-links: .venv/test
	$(BIN)/python -m sphinx -q -b linkcheck docs build/docs-links

clean:
	rm -rf build .venv
