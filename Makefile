# Modules come from go.work, never from a list kept by hand. The pattern `work`
# is every package of every module in it; what does not know that pattern
# (golangci-lint, go mod tidy, govulncheck) gets the folders.
modules   := $(shell go list -m -f '{{.Dir}}')
folders   := $(patsubst $(CURDIR)/%,./%/...,$(modules))
binaries  := ingest cron worker report landwaiter

GOLANGCI_LINT_VERSION := 2.15.0
GOVULNCHECK_VERSION   := 1.9.0
tools     := bin/tools
lint      := $(tools)/golangci-lint-$(GOLANGCI_LINT_VERSION)
vulncheck := $(tools)/govulncheck-$(GOVULNCHECK_VERSION)

# Packages tested at the same time; each may run a broker of its own.
TEST_PARALLEL ?= 2
TEST_TIMEOUT  ?= 300s
RACE_TIMEOUT  ?= 600s
E2E_TIMEOUT   ?= 40m
# Pipelines killed at the same time: they mostly wait.
CRASH_PARALLEL ?= 6
FUZZTIME      ?= 20s
FUZZ_JOBS     ?= 2
BENCH         ?= .
BENCH_PACKAGES ?= work
RUN_DATA      ?= .landwaiter
RUN_CONFIG    ?= deployments/sample/landwaiter.yaml
CA_BUNDLE     ?= /etc/ssl/certs/ca-certificates.crt

# A checkout that belongs to another user has no version control to ask.
export GOFLAGS := $(strip $(GOFLAGS) $(if $(findstring buildvcs,$(GOFLAGS)),,-buildvcs=false))

.DEFAULT_GOAL := help
.PHONY: help run build test race e2e fuzz bench lint fmt tidy verify vuln images tools

help: ## list these targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-8s %s\n", $$1, $$2}'

run: build ## build and start everything in one process with the sample configuration; needs only Go
	bin/landwaiter up --config $(RUN_CONFIG) --data $(RUN_DATA)

build: ## static binaries of all services in bin/
	CGO_ENABLED=0 go build -trimpath -o bin/ ./services/cmd/...

test: ## all tests that need neither Docker nor a network
	go test -shuffle=on -p $(TEST_PARALLEL) -timeout $(TEST_TIMEOUT) work

race: ## the same under the race detector
	go test -race -shuffle=on -p $(TEST_PARALLEL) -timeout $(RACE_TIMEOUT) work

e2e: build ## end to end against Debian's registry, Redis and a real image; needs root and .ci/run's packages
	LANDWAITER_E2E=1 LANDWAITER_BIN=$(CURDIR)/bin go test -count=1 -p 1 -timeout $(E2E_TIMEOUT) ./test/... && \
	LANDWAITER_E2E=1 go test -count=1 -parallel $(CRASH_PARALLEL) -timeout $(E2E_TIMEOUT) ./services/landwaiter/crashtest && \
	LANDWAITER_E2E=1 go test -count=1 -run TestAnyScheduleOnAnyClock ./services/cron

fuzz: ## every fuzz target for FUZZTIME (20s); FUZZ_JOBS at a time, FUZZ_PACKAGES=pattern
	FUZZTIME=$(FUZZTIME) FUZZ_JOBS=$(FUZZ_JOBS) test/fuzz.sh

bench: build ## benchmarks and the measures of whole processes, see docs/benchmarks.md (BENCH=pattern BENCH_PACKAGES=work)
	LANDWAITER_BIN=$(CURDIR)/bin go test -run '^$$' -bench '$(BENCH)' -benchmem -p 1 -timeout 30m $(BENCH_PACKAGES)

lint: $(lint) ## golangci-lint over all modules
	$(lint) run $(folders)

fmt: $(lint) ## gofumpt and goimports, in place
	$(lint) fmt $(folders)

tidy: ## go.mod and go.sum of every module
	@set -e; for module in $(modules); do echo "$$module"; (cd "$$module" && GOWORK=off go mod tidy); done

verify: ## each module is tidy and builds without the workspace
	@set -e; for module in $(modules); do \
	  echo "$$module"; \
	  (cd "$$module" && GOWORK=off go mod tidy -diff && GOWORK=off go build -o /dev/null ./...); \
	done

vuln: $(vulncheck) ## govulncheck of every module; needs the network
	@set -e; for module in $(modules); do echo "$$module"; (cd "$$module" && GOWORK=off $(CURDIR)/$(vulncheck) ./...); done

images: build ## container images landwaiter/<service>:dev from scratch; needs a Docker engine
	@set -e; for service in $(binaries); do \
	  context=bin/image/$$service; \
	  rm -rf $$context; mkdir -p $$context/data; \
	  cp bin/$$service $(CA_BUNDLE) $$context/; \
	  docker build --quiet --build-arg SERVICE=$$service --file deployments/Dockerfile --tag landwaiter/$$service:dev $$context; \
	done

tools: $(lint) $(vulncheck) ## the pinned tools in bin/tools

# An installed linter of the pinned version is taken as it is: building it takes minutes.
$(lint):
	@mkdir -p $(tools)
	@set -e; for have in "$$(command -v golangci-lint)" "$$(go env GOPATH)/bin/golangci-lint"; do \
	  if [ -x "$$have" ] && [ "$$("$$have" version --short)" = "$(GOLANGCI_LINT_VERSION)" ]; then \
	    ln -sf "$$have" $@; exit 0; \
	  fi; \
	done; \
	GOBIN=$(CURDIR)/$(tools) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$(GOLANGCI_LINT_VERSION); \
	mv $(tools)/golangci-lint $@

$(vulncheck):
	GOBIN=$(CURDIR)/$(tools) go install golang.org/x/vuln/cmd/govulncheck@v$(GOVULNCHECK_VERSION)
	mv $(tools)/govulncheck $@
