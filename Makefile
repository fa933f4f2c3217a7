# Everything here is a few words; the work is in scripts/setup, scripts/build and scripts/check.
#   make run FOOTAGE=street.h264
#   make test TESTS="test/agent/*.test.ts"

NODE ?= node
FOOTAGE ?=
BOARD ?= qemu/malta
TESTS ?=
PROOF ?=

# To the shell by the environment: a path may hold spaces, quotes and whatever else the shell would read.
export FOOTAGE

.DEFAULT_GOAL := help
.PHONY: help run firmware test check bench proof setup relock clean distclean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: have-node ## Set up what is missing, then start a development cloud and the emulated camera (FOOTAGE=file)
	@$(NODE) scripts/setup/main.mjs run
	@exec $(NODE) scripts/ocellus.mjs run $${FOOTAGE:+--footage "$$FOOTAGE"}

test: have-node ## Set up what is missing, then run all checks and tests (TESTS="files" for some)
	@$(NODE) scripts/setup/main.mjs test
	@$(NODE) scripts/check/main.mjs
	@exec $(NODE) scripts/check/tests.mjs $(TESTS)

check: have-node ## Formatter, linter and types
	@$(NODE) scripts/setup/main.mjs check
	@exec $(NODE) scripts/check/main.mjs

firmware: have-node ## Build a camera's images and tell their sizes (BOARD=vendor/model)
	@$(NODE) scripts/setup/main.mjs firmware '$(BOARD)'
	@exec $(NODE) scripts/board/make-firmware.mjs '$(BOARD)'

bench: have-node ## Measure the budgets and print them as a table (TABLE=markdown for the README)
	@$(NODE) scripts/setup/main.mjs test
	@exec $(NODE) --import tsx test/bench/main.ts $(TABLE)

proof: have-node ## Show at full length what `make test` shows in part; takes minutes (PROOF="names" for some)
	@$(NODE) scripts/setup/main.mjs test
	@exec $(NODE) --import tsx test/proof/main.ts $(PROOF)

setup: have-node ## Only set up what `make run` and `make test` need
	@exec $(NODE) scripts/setup/main.mjs test

relock: have-node ## Pin the C sources to the newest versions the mirror has
	@exec $(NODE) scripts/setup/relock.mjs

clean: ## Remove what was built from this checkout; the cache stays
	@rm -rf build out

distclean: clean have-node ## Remove node_modules and forget the build cache too
	@exec $(NODE) scripts/setup/forget.mjs

.PHONY: have-node
have-node:
	@command -v $(NODE) >/dev/null || \
	  { echo "ocellus: Node 20 or newer is missing; install it, then run this again." >&2; exit 1; }
