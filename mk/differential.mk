# Real kube-proxy beside Turnout: the same random objects, the same packets, the same answers.

## test-differential: against real kube-proxy: [ROUNDS=200] [SEED=n] [SOCKET_PATH=tcp|all|off] [FEATURES=-name,+name] (root)
.PHONY: test-differential
test-differential: build kube $(SCTP_RAW)
	$(Q)MODE='$(MODE)' ROUNDS='$(ROUNDS)' SEED='$(SEED)' ONLY='$(ONLY)' SOCKET_PATH='$(SOCKET_PATH)' FEATURES='$(FEATURES)' \
		REFERENCE='$(REFERENCE)' TURNOUT_FLAGS='$(TURNOUT_FLAGS)' $(NODE) test/differential/run.ts
