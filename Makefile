# Each verb sets up .venv first when it is missing or older than what it is made from.
SHELL := /bin/bash
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export DVC_NO_ANALYTICS := true
INSTALLED := .venv/.installed

QUICK := build/quick

.PHONY: repro repro-quick test test-fast test-slow lint bench

# Tests start many processes, each of which would compile the modules anew.
test test-fast test-slow: export PYTHONDONTWRITEBYTECODE :=

repro: $(INSTALLED)
	dvc repro
	dvc metrics show $$(ls metrics/*/*.json | grep -v -e /dataset.json -e /crawl/)

# The pipeline on a small demo store, in a project of its own, as `gemscrape init` makes it for users. Like theirs, it
# reruns for new settings and new stage versions, not for edited code: to start anew, delete its folder.
repro-quick: $(INSTALLED)
	test -e $(QUICK)/gemscrape.lock || { rm -rf $(QUICK) && gemscrape init $(QUICK); }
	cp params/quick.yaml $(QUICK)/params.yaml
	cd $(QUICK) && gemscrape upgrade && dvc repro && gemcurate report && dvc metrics show metrics/d200/efficientnet_lite0.json
	@echo "The pages are in $(QUICK)/reports: curation.html, training-d200.html."

test: $(INSTALLED)
	@command -v chromium >/dev/null || \
	  echo "note: chromium is missing (Debian: apt-get install chromium); tests of pages in a browser are skipped."
	pytest -n 2 --dist worksteal

# Only the tests without a server, browser, DVC or training: at most a minute.
test-fast: $(INSTALLED)
	pytest -n 2 --dist worksteal -m "not slow and not heavy"

test-slow: $(INSTALLED)
	pytest -m slow --timeout 3600

lint: $(INSTALLED)
	ruff check .
	ruff format --check .
	mypy

bench: $(INSTALLED)
	python -m benchmarks

$(INSTALLED): pyproject.toml constraints.txt
	@command -v git >/dev/null || { echo "error: git is missing; install it (Debian: apt-get install git)." >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: $(PYTHON) is older than 3.11; name a newer one: make PYTHON=python3.12 ..." >&2; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "error: $(PYTHON) has no venv; install it (Debian: apt-get install python3-venv)." >&2; exit 2; }
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --upgrade pip
	.venv/bin/python -m pip install --constraint constraints.txt --editable '.[all,test,bench]'
	touch $@
