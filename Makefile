# Every command takes STACK=local (the default), dev or prod.
STACK  ?= local
NODE   := node --import tsx
# The JSON is for test/run.sh, which counts the tests of all suites.
VITEST  = npx vitest run --project $@ --reporter=verbose --reporter=json --outputFile.json=.local/tests-$@.json

.PHONY: help up preview refresh down status tools test check unit engine bench

help: ## this list
	@sed -n 's/^\([a-z][a-z ]*\):[^#]*## /\1: /p' Makefile

up preview refresh down status: node_modules ## bring up, plan, take over drift, delete, show
	@$(NODE) local/main.ts $@ $(STACK)

tools: node_modules ## find, download or build every program that the local commands use
	@$(NODE) local/tools/main.ts

test: node_modules ## everything, fast suites first
	@test/run.sh check unit tools engine

check: node_modules ## format, lint and types
	@npx prettier --check --log-level warn . && npx eslint . && npx tsc -p .

unit: node_modules ## tests that need nothing
	@$(VITEST)

engine: tools ## tests on the real engine and a real control plane
	@$(VITEST)

bench: tools ## measures, prints a table, writes .local/bench.json
	@$(NODE) test/bench/main.ts

# Without install scripts: they would only download what `make tools` sets up.
node_modules: package.json package-lock.json
	@npm ci --ignore-scripts --no-audit --no-fund >&2 && touch node_modules
