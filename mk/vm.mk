# Other kernels, in guests of qemu. Emulated, so everything is built here and only run there.
VM_PACKAGES := qemu-system-x86 busybox-static kmod xz-utils
KERNEL ?= 6.1 6.12 7.x
# For each kernel; a run takes 5 minutes on two quiet cores, 8 with ALL=1 (every combination of switches for the verifier).
GUEST_SECONDS ?= 1800

build/.vm-packages: mk/vm.mk scripts/install-packages.sh | build/.packages
	$(Q)scripts/install-packages.sh $(VM_PACKAGES)
	@touch $@

## test-vm: programs and packets under other kernels: KERNEL=6.1|6.12|7.x, or all three (root)
.PHONY: test-vm
test-vm: build dist build/lab/sctp-echo $(LAB_TOOLS) build/.vm-packages
	$(Q)FILTER='$(FILTER)' ALL='$(ALL)' GUEST_SECONDS='$(GUEST_SECONDS)' scripts/vm/test-kernels.sh '$(NODE)' $(KERNEL)

build/lab/sctp-echo: lab/sctp-echo.c mk/vm.mk | build/.packages
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)gcc -O2 -Wall -Wextra -Werror -o $@ $<
