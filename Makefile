# `make help` lists what there is. Go and Node are all that most of it needs.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

NODE_MODULES := node_modules/.package-lock.json
# What hangs, or leaves a browser open, fails instead of waiting for ever.
NODE_TEST := SIOMQ_E2E_BIN=bin/e2e node --test --test-reporter=spec --test-concurrency=1 --test-timeout=300000 --test-force-exit
LINT := go tool -modfile=tools/go.mod golangci-lint
FUZZTIME ?= 5s
SOAK ?= 1m
BENCH ?= .
QUICK ?=
ROWS ?=
PEERS ?=
ARGS ?=

# The race detector needs a C compiler. Without one the tests run without it.
RACE := $(if $(shell command -v $$(go env CC) 2>/dev/null),-race)

.PHONY: help all run build pages programs test test-go test-js race soak e2e fuzz bench gobench lint fmt cross clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

all: fmt lint build test ## format, lint, build and test

run: pages ## start the demo with the embedded broker (ARGS="-h" lists its flags)
	go build -o bin/ ./demo
	./bin/demo $(ARGS)

build: pages ## build siomq and the demo to bin/
	go build -o bin/ ./demo ./cmd/siomq

pages: $(NODE_MODULES) # the browser libraries that the build embeds
	node demo/vendor.mjs

$(NODE_MODULES): package.json package-lock.json
	npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

test: test-go test-js ## every test that needs no browser and no other program

# The race detector allocates on its own, so allocations are counted without it.
test-go: pages
	go test $(RACE) ./...
	go test -run='Alloc' ./internal/... ./rooms/... ./server/... ./adapter/...

programs: pages # what the clients of the end-to-end tests talk to
	go build $(RACE) -o bin/e2e/ ./e2e/testserver ./e2e/featureserver ./e2e/doorserver ./demo ./cmd/siomq

test-js: programs # the official JavaScript clients against the test server
	$(NODE_TEST) e2e/js/*.test.mjs

race: pages ## the Go tests with the race detector, three times over
	go test -race -count=3 ./...

soak: ## 500 sockets that come and go, for SOAK (1m), and 1,000 MQTT clients that do not read, with the race detector
	go test -race -timeout=30m -run='^TestSoak$$' -v ./server -soak=$(SOAK)
	go test -race -timeout=5m -run='^TestClientsThatNeverRead$$' ./adapter/broker/embedded -stalled=1000

e2e: programs ## Chromium, Mosquitto and paho against the demo and the test server
	$(NODE_TEST) e2e/real/*.test.mjs

fuzz: ## each fuzz target for FUZZTIME (5s)
	@grep -rlE '^func Fuzz' --include='*_test.go' . | xargs -r -n1 dirname | sort -u | while read -r dir; do \
	  grep -hoE '^func Fuzz[A-Za-z0-9_]*' "$$dir"/*_test.go | cut -d' ' -f2 | while read -r target; do \
	    echo "$$dir $$target"; \
	    go test -run='^$$' -fuzz="^$$target\$$" -fuzztime=$(FUZZTIME) "$$dir"; \
	  done; \
	done

bench: ## siomq and its peers, one table (QUICK=1: two minutes; ROWS=, PEERS=, ARGS=-h)
	@test -e e2e/peers/node_modules/.package-lock.json || \
	  npm ci --prefix e2e/peers --ignore-scripts --no-audit --no-fund || echo "peers on Node and Bun are left out" >&2
	go run ./e2e/bench $(if $(QUICK),-quick) $(if $(ROWS),-rows=$(ROWS)) $(if $(PEERS),-peers=$(PEERS)) $(ARGS)

gobench: ## the Go benchmarks (BENCH=regexp)
	go test -run='^$$' -bench='$(BENCH)' -benchmem ./...

lint: pages cross ## golangci-lint, the other systems, the scripts
	$(LINT) run ./...
	@git ls-files '*.mjs' '*.js' | xargs -r -n1 node --check

cross: # what other systems do not have is found by compiling for them
	GOOS=windows GOARCH=amd64 go vet ./...
	GOOS=darwin GOARCH=arm64 go vet ./...
	GOOS=linux GOARCH=386 CGO_ENABLED=0 go vet ./...

fmt: ## format the Go code
	$(LINT) fmt ./...

clean: ## remove what was built
	rm -rf bin node_modules
	find demo/web/vendor -type f ! -name .gitignore ! -name README.txt -delete
