# A real API server: etcd of Debian, Kubernetes' own programs built from the Go module proxy into a cache outside the repository.
CLUSTER_PACKAGES := etcd-server etcd-client openssl

build/.cluster-packages: mk/cluster.mk scripts/install-packages.sh | deps
	$(Q)scripts/install-packages.sh $(CLUSTER_PACKAGES)
	@touch $@

# The folder is not a target: its name follows from go.mod, and it is there or it is not.
.PHONY: kube
kube: | deps
	$(call say,GO,real Kubernetes at the version of scripts/kube/go.mod)
	$(quietly) build/kube.log scripts/kube/build.sh

## test-cluster: Turnout with a real kube-apiserver, etcd and EndpointSlice controller (root; FILTER as with the tiers)
.PHONY: test-cluster
test-cluster: build kube build/.cluster-packages
	$(Q)$(NODE) node_modules/vitest/vitest.mjs run --project cluster $(FILTER)
