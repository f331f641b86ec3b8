# Everything is made from here. `make` alone says what there is.
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

NODE_VERSION := 24.21.0
NPM_VERSION := 11.21.2
CLANG ?= clang-19
CLANG_FORMAT ?= clang-format-19
MODE ?= ebpf
# What `make test` asks of the conformance data in mode ebpf; the rest runs with `make conformance`.
CONFORMANCE_REQUIRED := ^(TestClusterIPGeneral\#c01s1f0[1-6]|TestNodePorts-iptables\#c0[1256]|TestNoEndpointsReject)

# Build, then what turnout, the demo and the tests call. The last line is what turnout.node is linked to.
PACKAGES := clang-19 clang-format-19 make gcc g++ cmake libc6-dev linux-libc-dev pkg-config ca-certificates debian-archive-keyring \
	iproute2 iptables nftables conntrack util-linux procps tcpdump ethtool \
	libelf-dev zlib1g-dev libmnl-dev

NODE := $(CURDIR)/.tools/bin/node
NODE_STAMP := .tools/.node-$(NODE_VERSION)-npm-$(NPM_VERSION)
LIBBPF := build/deps/libbpf
ADDON := build/native/Release/turnout.node
OBJECT := build/datapath.bpf.o
SCTP_RAW := build/lab/sctp-raw
LAB_TOOLS := $(SCTP_RAW) $(addprefix build/lab/,flood frames send-frame tun-cable udp-bulk)
# npm, cmake-js and what they start find our Node first.
export PATH := $(CURDIR)/.tools/bin:$(PATH)
export V
ifeq ($(V),)
Q := @
endif
say = @printf '  %-8s %s\n' '$(1)' '$(2)'
quietly = $(Q)scripts/quietly.sh

.PHONY: help
help:
	@echo 'Turnout: Kubernetes Services in eBPF. Targets:'
	@sed -n 's/^## \([a-z-]*\): /  \1	/p' $(MAKEFILE_LIST) | expand -t 16
	@echo 'V=1 shows every command. demo and test need root, and bring everything they need.'

## deps: system packages, Node, npm packages, libbpf sources
.PHONY: deps
deps: build/.packages $(NODE_STAMP) node_modules/.ready $(LIBBPF)/.fetched

build/.packages: Makefile scripts/install-packages.sh
	$(Q)mkdir -p build
	$(Q)scripts/install-packages.sh $(PACKAGES)
	@touch $@

$(NODE_STAMP): scripts/install-node.sh | build/.packages
	$(call say,NODE,$(NODE_VERSION) into .tools)
	$(quietly) build/node.log scripts/install-node.sh $(NODE_VERSION) $(NPM_VERSION)
	@touch $@

node_modules/.ready: package-lock.json .npmrc $(NODE_STAMP)
	$(call say,NPM,npm ci)
	$(quietly) build/npm.log scripts/retry.sh npm ci --no-fund --no-audit --loglevel=error
	@touch $@

$(LIBBPF)/.fetched: scripts/fetch-libbpf.sh | build/.packages
	$(call say,FETCH,libbpf)
	$(quietly) build/libbpf.log scripts/fetch-libbpf.sh $(CURDIR)/$(LIBBPF)

## build: the eBPF object and the native addon
.PHONY: build
build: deps $(OBJECT) $(ADDON)

# So that <bpf/bpf_helpers.h> is found as with an installed libbpf.
build/include/bpf: | $(LIBBPF)/.fetched
	$(Q)mkdir -p build/include && ln -sfn ../deps/libbpf/src $@

# libbpf's own <linux/bpf.h> comes before the system's, which may be older.
BPF_FLAGS := -g -O2 -target bpf -mcpu=v3 -Wall -Werror -Ibuild/include -I$(LIBBPF)/include/uapi -I/usr/include/$(shell uname -m)-linux-gnu
$(OBJECT): $(wildcard bpf/*.h) bpf/datapath.bpf.c $(LIBBPF)/.fetched Makefile | build/include/bpf
	$(call say,CLANG,$@)
	@command -v $(CLANG) >/dev/null || { echo '$(CLANG) is missing. Type: make clean deps, or name another (14 or newer): make CLANG=clang' >&2; exit 1; }
	$(Q)$(CLANG) $(BPF_FLAGS) -c bpf/datapath.bpf.c -o $@

# binding.gyp and this call the same recipe: native/CMakeLists.txt. A cache made in another folder is of no use to CMake.
$(ADDON): $(wildcard native/*.cc native/*.h) native/CMakeLists.txt native/package.json $(LIBBPF)/.fetched node_modules/.ready
	$(call say,CMAKE,$@)
	$(Q)grep -qs 'CMAKE_HOME_DIRECTORY:INTERNAL=$(CURDIR)/native$$' build/native/CMakeCache.txt || rm -rf build/native
	$(Q)mkdir -p build/native
	$(quietly) build/native.log env CMAKE_BUILD_PARALLEL_LEVEL=2 $(NODE) node_modules/cmake-js/bin/cmake-js build -d native \
		-O $(CURDIR)/build/native --CDLIBBPF_DIR=$(CURDIR)/$(LIBBPF)
	@touch $@

# What the lab sends SCTP with; the kernel need not know it.
$(SCTP_RAW): lab/sctp-raw.c lab/sctp-packet.h | build/.packages
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)gcc -O2 -Wall -Wextra -Werror -o $@ $<

# The rest of the lab's own tools: one file each.
$(filter-out $(SCTP_RAW),$(LAB_TOOLS)): build/lab/%: lab/%.c | build/.packages
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)gcc -O2 -Wall -Wextra -Werror -o $@ $<

## gen: write src/datapath/layout.gen.ts from the object's BTF, and README.md's table of flags
.PHONY: gen
gen: build
	$(Q)$(NODE) scripts/gen-layout.ts
	$(Q)$(NODE) scripts/gen-options.ts

## dist: the bundle a release ships
.PHONY: dist
dist: build dist/turnout.js

dist/turnout.js: $(shell find src -name '*.ts') scripts/bundle.ts package-lock.json $(ADDON) $(OBJECT) | build
	$(call say,ESBUILD,$@)
	$(Q)$(NODE) scripts/bundle.ts $(ADDON) $(OBJECT)

## demo: a cluster in a box, with real connections (KEEP=1 leaves it for playing)
.PHONY: demo
demo: build
	$(Q)KEEP='$(KEEP)' $(NODE) demo/run.ts

## test: unit, tables, native, datapath, netns and the required conformance units (root)
.PHONY: test test-unit test-native test-datapath test-netns
test: build dist $(LAB_TOOLS)
	$(Q)$(NODE) scripts/run-tests.ts '$(CONFORMANCE_REQUIRED)'

# One tier; FILTER is part of a file's path.
test-unit test-native test-datapath test-netns: test-%: build dist $(LAB_TOOLS)
	$(Q)$(NODE) node_modules/vitest/vitest.mjs run --project $* $(FILTER)

## conformance: kube-proxy's cases, as tables or with real packets: MODE=ebpf|tables [SOCKET_PATH=tcp|off] [TWINS=all|none|udp,sctp,family,...] [CONFORMANCE_DIR=dir] [FILTER=regex]
.PHONY: conformance
conformance: build $(SCTP_RAW)
	$(Q)MODE='$(MODE)' CONFORMANCE_DIR='$(CONFORMANCE_DIR)' FILTER='$(FILTER)' SOCKET_PATH='$(SOCKET_PATH)' \
		TWINS='$(TWINS)' $(NODE) test/conformance/run.ts

## check: types, lint, format, import direction, generated code
.PHONY: check
check: build build/bench/packet.bpf.o
	$(call say,TSC,types)
	$(Q)$(NODE) node_modules/typescript/bin/tsc --noEmit
	$(call say,BIOME,lint and format)
	$(Q)node_modules/.bin/biome check --error-on-warnings .
	$(call say,IMPORTS,one way only)
	$(Q)$(NODE) scripts/check-imports.ts
	$(call say,LAYOUT,codecs are what the object says)
	$(Q)$(NODE) scripts/gen-layout.ts --check
	$(call say,OPTIONS,README.md lists the flags)
	$(Q)$(NODE) scripts/gen-options.ts --check
	$(call say,FORMAT,bpf; native; lab)
	$(Q)if command -v $(CLANG_FORMAT) >/dev/null; then $(CLANG_FORMAT) --dry-run -Werror bpf/*.h bpf/*.c native/*.h native/*.cc && \
		$(CLANG_FORMAT) --style=file:bpf/.clang-format --dry-run -Werror lab/*.h lab/*.c; \
		else echo '!! $(CLANG_FORMAT) is missing: the format of C and C++ was NOT checked' >&2; fi
	$(call say,FILES,sizes; lock file; shell)
	$(Q)$(NODE) scripts/check-files.ts
	$(Q)for script in scripts/*.sh scripts/*/*.sh bin/turnout .ci/run; do sh -n "$$script" || exit 1; done

## clean: remove what was built; what was downloaded stays
.PHONY: clean
clean:
	$(Q)rm -rf build/native build/include build/*.o build/*.log build/.packages dist

# Targets that most people never need, each with its own tools: other kernels, a real API server, benchmarks.
include $(wildcard mk/*.mk)
