# Every target sets up what it needs. Bare `make` lists them.

PYTHON ?= python3
BIN := .venv/bin
DEMO := build/demo

# The Python is the one that .venv was made with, or an error.
export UV_PYTHON_DOWNLOADS := never

# What compiling the BPF programs and the native library needs, and what the tests run besides.
PACKAGES = clang llvm gcc libc6-dev libbpf-dev libelf-dev zlib1g-dev \
    $(shell $(PYTHON) -m ensurepip --version >/dev/null 2>&1 || echo python3-venv)
TEST_PACKAGES := chromium fonts-dejavu-core libclang-rt-dev fio bpftrace strace e2fsprogs xfsprogs fuse3 bindfs libaio-dev liburing-dev \
    openjdk-17-jre-headless

KERNEL_PACKAGES := qemu-system-x86 qemu-system-common busybox-static cpio kmod e2fsprogs

C_FILES = $(shell find collectors analysis injector tests -name '*.[ch]')

# Installs those of the Debian packages $(1) that are missing, or says so. Elsewhere the compilation names what it lacks.
define install
	@command -v dpkg-query >/dev/null || exit 0; \
	missing=$$(for package in $(1); do \
	    dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || echo $$package; done | xargs); \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ]; then echo "Missing, so do as root: apt-get install $$missing" >&2; exit 0; fi; \
	apt-get update -qq && \
	DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $$missing >/dev/null
endef

.PHONY: help setup native demo test test-kernels test-packages soak lint format bench docs wheel clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

setup: .venv/.setup native  ## make .venv with bin/stepwell, everything it needs, and the native parts

.venv/.setup: pyproject.toml uv.lock
	$(call install,$(PACKAGES))
	@test -x $(BIN)/uv || { $(PYTHON) -m venv .venv && $(BIN)/pip install --quiet uv; }
	$(BIN)/uv sync --quiet --locked
	@touch $@

# Spark is 480 MB and is needed by few.
.venv/.spark: .venv/.setup
	$(BIN)/uv sync --quiet --locked --extra spark
	@touch $@

native: .venv/.setup  ## compile the BPF programs and the native library again where they changed
	@$(BIN)/python collectors/hatch_build.py

demo: setup  ## record and report a realistic reader; leaves an HTML report
	@mkdir -p $(DEMO) && rm -rf $(DEMO)/demo.duckdb*
	@$(BIN)/python -m stepwell.cli.demo --make $(DEMO)/data
	$(BIN)/stepwell --store $(DEMO)/demo.duckdb record -- $(BIN)/python -m stepwell.cli.demo $(DEMO)/data
	$(BIN)/stepwell --store $(DEMO)/demo.duckdb report
	$(BIN)/stepwell --store $(DEMO)/demo.duckdb report -o html > $(DEMO)/report.html
	@echo "The same as a page: $(CURDIR)/$(DEMO)/report.html"

test: setup .venv/.spark test-packages  ## run the tests, after installing what they need
	$(BIN)/pytest -q --ignore tests/bench --ignore tests/vm

test-kernels: setup test-packages  ## run tests under older kernels without lockdown, emulated: some minutes each
	$(call install,$(KERNEL_PACKAGES))
	$(BIN)/pytest -q tests/vm

soak: setup test-packages  ## look for what breaks the coalescer and the importers: SECONDS=600 of fuzzing, then 2,000 examples a property
	STEPWELL_SOAK_SECONDS=$(or $(SECONDS),600) $(BIN)/pytest -q tests/fuzz
	$(BIN)/pytest -q tests/unit/test_coalescer.py tests/unit/test_spool.py \
	    tests/unit/importers/test_joiner.py tests/unit/importers/test_import_hostile.py --hypothesis-profile=soak

test-packages:
	$(call install,$(TEST_PACKAGES))

lint: setup  ## check style, types, import rules and C formatting
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/clang-format --dry-run -Werror $(C_FILES)

format: setup  ## format Python and C, and repair what ruff can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/clang-format -i $(C_FILES)

bench: setup test-packages  ## measure Stepwell's cost beside other tracers
	$(call install,vmtouch)
	$(BIN)/uv sync --quiet --locked --group bench --extra spark
	$(BIN)/python -m tests.bench.run

docs: .venv/.setup  ## write what is generated from the record definition
	$(BIN)/python -m stepwell.trace.generate

wheel: setup  ## build sdist and a wheel that brings its own libelf, into dist/
	rm -rf dist build/wheel
	$(BIN)/python -m build --no-isolation --outdir build/wheel
	mkdir -p dist && mv build/wheel/*.tar.gz dist/
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/auditwheel repair --wheel-dir dist build/wheel/*.whl

clean:  ## remove everything that was made, .venv included
	rm -rf .venv build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find collectors analysis injector dashboard tests \( -name __pycache__ -o -name '*.bpf.o' -o -name 'lib*.so' \) \
	    -prune -exec rm -rf {} +
