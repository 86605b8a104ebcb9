# Every command takes STACK=local (the default), real, dev or prod.
STACK  ?= local
# What `make tools` makes ready: tools or the groups local and node; without any, local.
TOOLS  ?=
# What `make function` builds: a folder of functions/, as compiled, portable or native.
FUNCTION ?= checkout
BUILD    ?= compiled
# Where artifacts are kept: the folder of a bundle, a backup's file; the registry that a restore of functions pushes to; and
# the snapshot that a restore of the cluster goes back to.
export BUNDLE ARCHIVE REGISTRY SNAPSHOT
# Whom a token is for, with which roles (commas between), and for how long: alice, user and 1h unless told otherwise.
export SUBJECT ROLE LIFETIME
# How far back `make charts` looks: 15m unless told otherwise.
export SINCE
# Where `make plan` keeps the plan for later, and the kept one that it compares with.
export PLAN AGAINST
NODE   := node --import tsx
# The JSON is for test/run.sh, which counts the tests of all suites.
VITEST  = SUITE_REPORT=.local/tests-$@.json npx vitest run --project $@

.PHONY: help up preview plan refresh down status token charts graph hosts-check snapshot restore rotate-encryption-key bundle bundle-check \
	backup restore-functions surge function tools policy manifests test check unit engine scaling real hosts bench

help: ## this list
	@sed -n 's/^\([a-z][a-z -]*\):[^#]*## /\1: /p' Makefile

up preview refresh down status: node_modules ## bring up, plan, take over drift, delete, show
	@$(NODE) local/main.ts $@ $(STACK)

plan: node_modules ## what a stack comes to: capacity, scale-out, cost, as Markdown (PLAN=file, AGAINST=file)
	@$(NODE) local/main.ts $@ $(STACK)

token: node_modules ## a token for a stack on this machine, to call its functions with (SUBJECT, ROLE, LIFETIME)
	@$(NODE) local/main.ts $@ $(STACK)

charts: node_modules ## draw what a stack has measured and logged as one page, without Grafana (SINCE=15m)
	@$(NODE) local/main.ts $@ $(STACK)

graph: node_modules ## draw a stack's resources and what they need as one SVG, from its state or else a preview
	@$(NODE) local/main.ts $@ $(STACK)

surge: node_modules ## play the load of surge.yaml to a stack; judge and draw how it scales
	@$(NODE) local/main.ts $@ $(STACK)

hosts-check: node_modules ## look whether a stack's hosts can become its cluster, changing nothing
	@$(NODE) local/main.ts $@ $(STACK)

snapshot rotate-encryption-key: node_modules ## on the hosts: take a snapshot of etcd; encrypt secrets by a new key
	@$(NODE) local/main.ts $@ $(STACK)

restore: node_modules ## take the cluster's state back to a snapshot (SNAPSHOT=name)
	@$(NODE) local/main.ts $@ $(STACK)

bundle: node_modules ## collect what hosts install and functions run, for where there is no internet (BUNDLE=folder)
	@$(NODE) local/main.ts $@ $(STACK)

bundle-check: node_modules ## find what has changed in a bundle (BUNDLE=folder)
	@$(NODE) local/main.ts $@ $(STACK)

backup: node_modules ## keep the functions' definitions and images in one archive (ARCHIVE=file)
	@$(NODE) local/main.ts $@ $(STACK)

restore-functions: node_modules ## push kept images to a registry (ARCHIVE=file or BUNDLE=folder, REGISTRY=host)
	@$(NODE) local/main.ts $@ $(STACK)

function: node_modules ## build a function's image, tell its digest (FUNCTION=checkout, as root)
	@$(NODE) local/images/main.ts $(FUNCTION) $(BUILD)

tools: node_modules ## find, download or build the programs that the local commands use (TOOLS=node for a real node)
	@$(NODE) local/tools/main.ts $(TOOLS)

policy: TOOLS = opa
policy: tools ## build the policies anew, after a change in policies/authorization or policies/admission
	@$(NODE) local/policies/main.ts

manifests: node_modules ## renew the copies of the controllers' release manifests, held to their sums
	@$(NODE) local/manifests/main.ts

test: node_modules ## everything, fast suites first
	@test/run.sh 'check unit tools' 'real scaling | engine hosts'

check: node_modules ## format, lint and types
	@npx prettier --check --log-level warn . && npx eslint . && npx tsc -p .

unit: node_modules ## tests that need nothing
	@$(VITEST)

engine: TOOLS = local hosts opa gator traefik promtool loki otelcol actionlint kubeconform kube-score
engine: tools ## tests on the real engine and a real control plane
	@$(VITEST)

scaling: TOOLS = local scaling prometheus
scaling: tools ## tests of autoscalers on the real engine and a real control plane
	@$(VITEST)

real: node_modules ## tests on a real node, as root on Linux: functions run (skipped aloud elsewhere)
	@$(VITEST)

hosts: node_modules ## tests on hosts that they boot, as root on Linux: K3s is installed (skipped aloud elsewhere)
	@$(VITEST)

bench: node_modules ## measures, prints a table, writes .local/bench.json (STACK=real: a real node, as root; ONLY=surge)
	@$(NODE) test/bench/main.ts "$(STACK)" "$(ONLY)"

# Without install scripts: they would only download what `make tools` sets up.
node_modules: package.json package-lock.json
	@npm ci --ignore-scripts --no-audit --no-fund >&2 && touch node_modules
