# SPDX-License-Identifier: Apache-2.0
# Two commands do everything on a fresh Debian 12 with Go, gcc and make:
# `make run` and `make test`. `make help` lists the rest.

VERSION ?= 0.1.0
WATCH   ?= /etc
FALCO   ?= falco
SHELL   := /bin/bash -o pipefail

BUILD   := build
LDFLAGS := -s -w -X main.version=$(VERSION)
SOURCES := $(shell find event watch mount links process bpf fanotify source extract plugin cmd -name '*.go' -o -name '*.o') go.mod go.sum

# What ran on which kernel and filesystem, written by the tests in guests.
MATRIX  := $(BUILD)/scenarios.txt
TALLY   := go run ./test/tally -above $(MATRIX)

.PHONY: all run falco test test-vm test-all test-oracle lint fmt bench bench-kernel fuzz fields setup clean help

all: $(BUILD)/libfim.so $(BUILD)/fim ## build the plugin and the command line (the default)

$(BUILD)/libfim.so: $(SOURCES)
	CGO_ENABLED=1 go build -trimpath -buildmode=c-shared -ldflags '$(LDFLAGS)' -o $@ ./plugin
	@rm -f $(BUILD)/libfim.h

$(BUILD)/fim: $(SOURCES)
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/fim

run: all ## show what happens to files below WATCH (default /etc), as it happens
	$(BUILD)/fim watch $(WATCH)

falco: all ## run Falco itself (FALCO=path) with the plugin and the rules
	@command -v $(FALCO) >/dev/null || { echo "make falco: no '$(FALCO)' on PATH: install Falco 0.41 or later, or name it with FALCO=/path/to/falco" >&2; exit 1; }
	sed 's|library_path: .*|library_path: $(CURDIR)/$(BUILD)/libfim.so|' deploy/falco.yaml > $(BUILD)/falco.yaml
	$(FALCO) -c $(BUILD)/falco.yaml -r rules/fim_rules.yaml --enable-source fs -o stdout_output.enabled=true

test: setup all lint ## run every test there is
	@rm -f $(MATRIX)
	go test -json -count=1 -timeout 60m ./... | $(TALLY)

test-vm: setup ## run every script and the tests of bpf in VMs, on KERNEL=5.10, 6.1, 6.12 or 7.2 (default: each)
	@rm -f $(MATRIX)
	go test -json -count=1 -timeout 3h ./test/scenario/vm -whole -programs $(addprefix -kernel=,$(KERNEL)) | $(TALLY)

test-all: setup ## run every script on every kernel and each filesystem that it may differ on, for hours
	@rm -f $(MATRIX)
	go test -json -count=1 -timeout 12h ./test/scenario/vm -all $(addprefix -kernel=,$(KERNEL)) | $(TALLY)

test-oracle: setup ## random operations against a model of its own: OPS of them, from SEED, natively or on KERNEL, with BREAK to fail
	go test -v -count=1 -timeout 12h ./test/oracle$(if $(KERNEL),/vm -kernel=$(KERNEL) -limit=11h) \
		-run TestNothingIsMissing -ops $(or $(OPS),20000) -seed $(or $(SEED),0) -break '$(BREAK)' $(if $(FS),-fs $(FS))

lint: ## formatting, vet, staticcheck, and the import arrows
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "gofmt would change:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	go vet ./...
	go tool staticcheck ./...
	go tool depguard ./...

fmt: ## format the Go files
	gofmt -w $$(git ls-files '*.go')

bench: ## run the Go benchmarks
	go test -run '^$$' -bench . -benchmem ./event ./watch ./mount ./extract

bench-kernel: setup $(BUILD)/fim ## count instructions in a VM, on KERNEL (default 6.12)
	go run ./test/bench/kernel --kernel $(or $(KERNEL),6.12) --fim $(BUILD)/fim --out $(BUILD)/bench-kernel.json $(BENCHFLAGS)

fuzz: ## fuzz every decoder, FUZZTIME each (default 30s)
	test/fuzz.sh $(or $(FUZZTIME),30s)

fields: $(BUILD)/fim ## put the tables of fields and of backends into the README
	test/fields.sh $(BUILD)/fim README.md
	go test ./test/scenario -run TestTheReadme -update

setup: ## install what the tests need from Debian
	test/setup.sh
	test/vm/setup.sh

clean: ## remove what was built (downloads stay in .cache)
	rm -rf $(BUILD)

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14
