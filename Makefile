# Every command takes STACK=local (the default), dev or prod.
STACK ?= local
NODE  := node --import tsx

.PHONY: up preview refresh down status tools test unit engine check bench

up preview refresh down status: node_modules ## bring up, plan, take over drift, delete, show
	@$(NODE) local/main.ts $@ $(STACK)

tools: node_modules ## find, download or build every program that the local commands use
	@$(NODE) local/tools/main.ts

test: check unit engine ## everything

check: node_modules ## format, lint and types
	@npx prettier --check --log-level warn . && npx eslint . && npx tsc -p .

unit: node_modules ## tests that need nothing
	@npx vitest run --project unit

engine: tools ## tests on the real engine and a real control plane
	@npx vitest run --project engine

bench: tools ## measures, prints a table, writes .local/bench.json
	@$(NODE) test/bench/main.ts

# Without install scripts: they would only download what `make tools` sets up.
node_modules: package.json package-lock.json
	@npm ci --ignore-scripts --no-audit --no-fund && touch node_modules
