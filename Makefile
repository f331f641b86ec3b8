# Everything is made from here. `make` alone says what there is.
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

NODE_VERSION := 24.21.0
CLANG ?= clang-19
CLANG_FORMAT ?= clang-format-19
MODE ?= ebpf
ARCH := $(shell uname -m)
# What `make test` asks of the conformance data in mode ebpf; the rest runs with `make conformance`.
CONFORMANCE_REQUIRED := ^(TestClusterIPGeneral\#c01s1f(0[1-6]|08)|TestNodePorts-iptables\#c0[1256]|TestNoEndpointsReject)

PACKAGES := clang-19 clang-format-19 make gcc g++ cmake libc6-dev libelf-dev zlib1g-dev libmnl-dev pkg-config \
	iproute2 iptables nftables conntrack util-linux procps ca-certificates

NODE := $(CURDIR)/.tools/bin/node
NPM := PATH="$(CURDIR)/.tools/bin:$$PATH" npm
VITEST := $(NODE) node_modules/vitest/vitest.mjs run
LIBBPF := build/deps/libbpf
ADDON := build/native/Release/turnout.node
OBJECT := build/datapath.bpf.o
ifeq ($(V),)
Q := @
endif
say = @printf '  %-9s %s\n' '$(1)' '$(2)'

.PHONY: help
help:
	@echo 'Turnout: Kubernetes Services in eBPF. Targets:'
	@sed -n 's/^## \([a-z-]*\): /  \1	/p' Makefile | expand -t 16
	@echo 'V=1 shows the commands. demo and test need root, and bring everything they need.'

## deps: system packages, Node, npm packages, libbpf sources
.PHONY: deps
deps: build/.packages $(NODE) node_modules/.ready $(LIBBPF)/.fetched

build/.packages: Makefile scripts/install-packages.sh
	$(Q)mkdir -p build && scripts/install-packages.sh $(PACKAGES) && touch $@

$(NODE): scripts/install-node.sh | build/.packages
	$(Q)scripts/install-node.sh $(NODE_VERSION) && touch -h $@

node_modules/.ready: package-lock.json $(NODE)
	$(call say,NPM,npm ci)
	$(Q)PATH="$(CURDIR)/.tools/bin:$$PATH" scripts/retry.sh npm ci --no-fund --no-audit --loglevel=error >build/npm.log 2>&1 || { cat build/npm.log; exit 1; }
	$(Q)touch $@

$(LIBBPF)/.fetched: scripts/fetch-libbpf.sh | build/.packages
	$(call say,FETCH,libbpf)
	$(Q)scripts/fetch-libbpf.sh $(CURDIR)/$(LIBBPF) && touch $@

## build: the eBPF object and the native addon
.PHONY: build
build: deps $(OBJECT) $(ADDON)

# <bpf/bpf_helpers.h> is found as if libbpf were installed.
build/include/bpf: | $(LIBBPF)/.fetched
	$(Q)mkdir -p build/include && ln -sfn $(CURDIR)/$(LIBBPF)/src $@

BPF_FLAGS := -g -O2 -target bpf -mcpu=v3 -Wall -Werror -Ibuild/include -I$(LIBBPF)/include/uapi -I/usr/include/$(ARCH)-linux-gnu
$(OBJECT): $(wildcard bpf/*.h) bpf/datapath.bpf.c $(LIBBPF)/.fetched | build/include/bpf
	$(call say,CLANG,$@)
	@command -v $(CLANG) >/dev/null || { echo "$(CLANG) is missing; type: make deps, or CLANG=clang-NN make"; exit 1; }
	$(Q)$(CLANG) $(BPF_FLAGS) -c bpf/datapath.bpf.c -o $@

# binding.gyp and this call the same recipe: native/CMakeLists.txt.
$(ADDON): $(wildcard native/*.cc native/*.h) native/CMakeLists.txt native/package.json $(LIBBPF)/.fetched node_modules/.ready
	$(call say,CMAKE,$@)
	$(Q)mkdir -p build/native
	$(Q)PATH="$(CURDIR)/.tools/bin:$$PATH" CMAKE_BUILD_PARALLEL_LEVEL=2 $(NODE) node_modules/cmake-js/bin/cmake-js build -d native -O $(CURDIR)/build/native \
		--CDLIBBPF_DIR=$(CURDIR)/$(LIBBPF) >build/native.log 2>&1 || { cat build/native.log; exit 1; }
	$(Q)touch $@

## gen: write src/datapath/layout.gen.ts from the object's BTF
.PHONY: gen
gen: build
	$(Q)$(NODE) scripts/gen-layout.ts

## dist: the bundle a release ships
.PHONY: dist
dist: build
	$(Q)$(NODE) scripts/bundle.ts

## demo: a cluster in a box, with real connections (KEEP=1 leaves it for playing)
.PHONY: demo
demo: build
	$(Q)KEEP=$(KEEP) $(NODE) demo/run.ts

## test: unit, native, datapath, netns and the required conformance units (root)
.PHONY: test test-unit test-native test-datapath test-netns
test: build
	$(Q)$(NODE) scripts/run-tests.ts '$(CONFORMANCE_REQUIRED)'

test-unit test-native test-datapath test-netns: test-%: build
	$(Q)$(VITEST) --project $* $(FILTER)

## conformance: kube-proxy's cases with real packets: MODE=ebpf [CONFORMANCE_DIR=dir] [FILTER=regex]
.PHONY: conformance
conformance: build
	$(Q)MODE='$(MODE)' CONFORMANCE_DIR='$(CONFORMANCE_DIR)' FILTER='$(FILTER)' $(NODE) test/conformance/run.ts

## check: types, lint, format, import direction, generated code
.PHONY: check
check: build
	$(call say,TSC,src test scripts)
	$(Q)$(NODE) node_modules/typescript/bin/tsc --noEmit
	$(call say,BIOME,lint and format)
	$(Q)$(NODE) node_modules/@biomejs/biome/bin/biome check --error-on-warnings .
	$(call say,IMPORTS,direction)
	$(Q)$(NODE) scripts/check-imports.ts
	$(call say,LAYOUT,generated codecs)
	$(Q)$(NODE) scripts/gen-layout.ts --check
	$(call say,FORMAT,bpf native)
	$(Q)if command -v $(CLANG_FORMAT) >/dev/null; then $(CLANG_FORMAT) --dry-run -Werror bpf/*.h bpf/*.c native/*.h native/*.cc; \
		else echo '!! $(CLANG_FORMAT) is missing: C and C++ formatting NOT checked'; fi
	$(Q)! grep -n '"resolved"' package-lock.json || { echo 'package-lock.json names registry hosts; see .npmrc'; exit 1; }

## clean: remove what was built; downloaded tools stay
.PHONY: clean
clean:
	$(Q)rm -rf build/native build/include build/*.o build/*.log dist
