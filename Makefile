# `make demo`, `make test`: from a bare machine to a result; everything else is a part of them.
# What is downloaded or built once is kept in ~/.cache/jsorc-gitops, keyed by version.

PYTHON ?= python3
VENV := .venv
BUILDER ?= docker
IMAGE ?= jsorc-gitops:0.1.0
INSTALLED := $(VENV)/.installed

.PHONY: demo image test test-argocd test-fast bench-render bench-reconcile bench-resets bench-gitops lint clean

demo: $(INSTALLED)
	@$(VENV)/bin/python -m tests.demo

# Half of the time a test waits for a server: two at a time take little more than half as long.
test: lint
	$(VENV)/bin/python -m pytest -n 2 --dist loadfile -m "not argocd"

# Argo CD listens on every address, so these tests have a network of their own; what needs another is built before.
OWN_NETWORK = unshare $$(test "$$(id -u)" = 0 || echo --user --map-root-user) --net \
  sh -c 'ip link set lo up && exec "$$@"' sh
test-argocd: $(INSTALLED)
	$(VENV)/bin/python -m tests.controlplane build
	$(VENV)/bin/python -m tests.gitops build argocd
	$(OWN_NETWORK) $(VENV)/bin/python -m pytest -m argocd tests/gitops

test-fast: $(INSTALLED)
	$(VENV)/bin/python -m pytest -q -m "not real and not slow"

# The wheels are of this Python, so BASE has the same (docs/cron.md).
image:
	rm -rf build/wheels
	$(PYTHON) -m pip wheel --quiet --constraint tests/constraints.txt --wheel-dir build/wheels .
	$(BUILDER) build $(if $(BASE),--build-arg BASE=$(BASE)) --file Containerfile --tag $(IMAGE) build

bench-render: $(INSTALLED)
	@$(VENV)/bin/python -m bench.render

bench-reconcile: $(INSTALLED)
	@$(VENV)/bin/python -m bench.reconcile

bench-resets: $(INSTALLED)
	@$(VENV)/bin/python -m bench.resets

bench-gitops: $(INSTALLED)
	$(VENV)/bin/python -m tests.controlplane build
	$(VENV)/bin/python -m tests.gitops build
	$(OWN_NETWORK) $(VENV)/bin/python -m bench.gitops

lint: $(INSTALLED)
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .coverage

$(INSTALLED): pyproject.toml tests/constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "jsorc needs Python 3.11 or newer; name one: make PYTHON=python3.12"; exit 1; }
	@echo "Installing jsorc and its tools into $(VENV) …"
	@$(PYTHON) -m venv $(VENV) || { echo "install python3-venv: apt-get install python3-venv"; exit 1; }
	@$(VENV)/bin/pip install --quiet --upgrade --constraint tests/constraints.txt pip
	@$(VENV)/bin/pip install --quiet --constraint tests/constraints.txt --editable . --group dev
	@touch $@
