# SPDX-License-Identifier: GPL-2.0
# One verb per target. The work is done by the scripts in scripts/.
.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory

# A kernel tree of yours, for apply, check-tree and revert.
TREE ?=
# Simulated runs of `make sim`, and the first seed.
SEEDS ?= 1000
# What `make test` runs: all of it, or the stages named here.
STAGES ?=

vm := scripts/vm
tree = $(or $(TREE),$(error say which kernel tree: make TREE=/path/to/linux $@))

##@ See it work
run: ## boot a kernel in QEMU and move data over NEW_TCP
	@scripts/run-demo

shell: ## a root shell in a guest (KIND=um, x86 or debug)
	@$(vm) --kernel $(or $(KIND),um) --shell

bench: ## compare with TCP: a table and JSON
	@scripts/bench $(ARGS)

##@ Test it
test: ## everything that can fail; ends with "N passed, N failed"
	@scripts/test $(STAGES)

test-long: ## the same, then what takes an hour
	@scripts/test --long $(STAGES)

check: ## formatting, lints, floors, sizes
	@scripts/check

format: ## format the Rust files
	@scripts/check --format

generate: ## write the documents and tables that are made of the source
	@scripts/docs --write

kunit: ## the tests inside the kernel, in all three kernels
	@scripts/test kunit-um kunit-x86 kunit-debug

sim: ## the engine's tests and SEEDS simulated runs
	@SEEDS=$(SEEDS) scripts/test cargo sim

figures: ## write the table of simulated goodput and recovery times again
	@scripts/env cargo run --release --quiet -p mynewtcp-sim -- --figures --write

vectors: ## write the recorded runs again that the kernel's tests play
	@scripts/env cargo run --release --quiet -p mynewtcp-sim -- --vectors

selftest: ## real programs in guests, in all three kernels
	@scripts/test selftest-um selftest-x86 selftest-debug

docs: ## check the documents and run their commands
	@scripts/docs $(ARGS)

##@ Build it
kernel-um: ## User-mode Linux, the quickest round
	@scripts/kernel um

kernel-x86: ## x86-64 for QEMU
	@scripts/kernel x86

kernel-debug: ## User-mode Linux with two processors and every checker
	@scripts/kernel debug

deb: ## Debian packages of a kernel for a real machine (CONFIG=its .config)
	@scripts/deb $(CONFIG)

##@ Your own kernel tree: make TREE=/path/to/linux ...
apply: ## put NEW_TCP on it
	@scripts/overlay apply --tree $(tree)

check-tree: ## is everything of NEW_TCP in it?
	@scripts/overlay check --tree $(tree)

revert: ## take NEW_TCP off it, byte for byte
	@scripts/overlay revert --tree $(tree)

##@ The rest
env: ## make the build root, if it is not there
	@scripts/env setup

clean: ## remove the built kernels and programs
	@scripts/env clean build

distclean: ## remove the whole cache: build root, sources, kernels
	@scripts/env clean

help: ## this list
	@awk -F ':.*## ' '/^##@/ { print "\n" substr($$0, 5) } \
		/^[a-z0-9-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: run shell bench test test-long check format generate kunit sim figures vectors selftest docs \
	kernel-um kernel-x86 kernel-debug deb apply check-tree revert env clean distclean help
