# Random packets through the loaded programs; a model in TypeScript says what must come of each (test/fuzz).
FUZZ_OBJECT := build/fuzz/datapath.bpf.o

# The shipped programs, but for the source of their random numbers: a run can be repeated.
$(FUZZ_OBJECT): test/fuzz/seeded-random.h $(OBJECT) mk/fuzz.mk
	$(call say,CLANG,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_FLAGS) -include test/fuzz/seeded-random.h -c bpf/datapath.bpf.c -o $@

# The datapath tier sends a short run of a fixed seed.
test test-datapath test-vm: $(FUZZ_OBJECT)

## fuzz: a million random packets, each compared with a model: [PACKETS=n] [SEED=n] [PACKET=n: that one only, with reasons] (root)
.PHONY: fuzz
fuzz: build $(FUZZ_OBJECT)
	$(Q)PACKETS='$(PACKETS)' SEED='$(SEED)' PACKET='$(PACKET)' FUZZ_OBJECT='$(FUZZ_OBJECT)' unshare --net $(NODE) test/fuzz/run.ts
