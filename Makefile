# gatehouse: thin targets over tools/. `make help` lists them.

PYTHON ?= /usr/bin/python3
FUZZ_SECONDS ?= 60
DEMO_ONCE ?=

.PHONY: help run build test test-unit test-asan test-tsan test-e2e fuzz lint format docs bench bench-quick clean \
	setup-build setup-demo setup-test setup-bench

help:        ## this list
	@sed -n 's/^\([a-z0-9 -]*\):.*## /  make \1\t/p' Makefile | expand -t 30

run: setup-build setup-demo ## build, then a demo backend with gatehouse in front (Ctrl-C ends it)
	@$(PYTHON) tools/build.py release
	@DEMO_ONCE=$(DEMO_ONCE) $(PYTHON) tools/demo.py

build: setup-build ## build/release/gatehouse: optimised, hardened, stripped
	@$(PYTHON) tools/build.py release

test: setup-build setup-test ## everything: lint, unit, threads, end to end, fuzz smoke, docs
	@$(PYTHON) tools/run_tests.py

test-unit test-asan: setup-build ## unit tests under address and undefined-behaviour sanitizers
	@$(PYTHON) tools/run_tests.py unit

test-tsan: setup-build ## unit tests of threaded modules under the thread sanitizer
	@$(PYTHON) tools/run_tests.py threads

test-e2e: setup-build setup-test ## the real binary against real backends (PYTEST_ARGS="-k cors")
	@$(PYTHON) tools/run_tests.py e2e

fuzz: setup-build ## every fuzz target for FUZZ_SECONDS each (60)
	@FUZZ_SECONDS=$(FUZZ_SECONDS) $(PYTHON) tools/run_tests.py fuzz

lint: setup-build ## format, layers, shape, and warnings as errors with gcc and clang
	@$(PYTHON) tools/run_tests.py lint

format: setup-build ## let clang-format rewrite src/ and tests/fuzz/
	@$(PYTHON) tools/run_tests.py --format

docs: setup-build ## write the generated pages of docs/ again
	@$(PYTHON) tools/run_tests.py --write-docs

bench-quick: setup-build setup-demo setup-bench ## the most telling comparisons, in two minutes
	@$(PYTHON) tools/build.py release
	@$(PYTHON) bench/run.py --quick $(BENCH_ARGS)

bench: setup-build setup-demo setup-bench ## compare with nginx, HAProxy and Caddy on this machine
	@$(PYTHON) tools/build.py release
	@$(PYTHON) bench/run.py --limits $(BENCH_ARGS)
	@$(PYTHON) bench/curves.py
	@$(PYTHON) bench/resilience.py
	@$(PYTHON) bench/login_flood.py
	@$(PYTHON) bench/audit.py
	@$(PYTHON) bench/validation.py
	@$(PYTHON) bench/shared_limits.py
	@$(PYTHON) bench/nodes.py
	@GATEHOUSE_BIN=build/release/gatehouse $(PYTHON) tests/endurance/run.py --long

clean:       ## remove build/
	rm -rf build

setup-build setup-demo setup-test setup-bench:
	@tools/setup.sh $(@:setup-%=%)
