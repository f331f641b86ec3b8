# Benchmarks. Not part of `make test`: a time is for people to read, not to pass or fail.

# connect is measured against real kube-proxy, which is built once (mk/cluster.mk).
BENCH_NEEDS := $(if $(filter connect,$(or $(WHAT),connect)),kube)

## bench: numbers with their ranges: [WHAT=connect|packet|edges|sync|update] [ROUNDS=9] (root)
.PHONY: bench
bench: build dist $(BENCH_NEEDS) build/bench/packet.bpf.o build/bench/crr
	$(Q)WHAT='$(WHAT)' ROUNDS='$(ROUNDS)' $(NODE) bench/run.ts

# Two hooks of bpf/, so functions that only the others call are there for nothing.
build/bench/packet.bpf.o: bench/packet.bpf.c $(wildcard bpf/*.h) $(LIBBPF)/.fetched mk/bench.mk | build/include/bpf
	$(call say,CLANG,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_FLAGS) -Wno-unused-function -c $< -o $@

build/bench/crr: bench/crr.c mk/bench.mk | build/.packages
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)gcc -O2 -Wall -Wextra -Werror -o $@ $<
