# Does each test of the packet code bite? Every hard part is taken out of a copy of bpf/ in turn, and its test has to fail.

## test-teeth: each hard part disabled in turn, its test must fail: [FILTER=regex] [JOBS=2] (root)
.PHONY: test-teeth
test-teeth: build dist $(LAB_TOOLS)
	$(Q)CLANG_COMMAND='$(CLANG) $(BPF_FLAGS)' FILTER='$(FILTER)' JOBS='$(JOBS)' $(NODE) test/teeth/run.ts
