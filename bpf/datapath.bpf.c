/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the kernel runs: one object, so one BTF, one generated TypeScript file and one fingerprint. */
#include <linux/bpf.h>
#include <linux/types.h>

#include <linux/errno.h>
#include <linux/if_packet.h>
#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "lb.h"     /* layouts: rows, enums */
#include "config.h" /* read-only variables */
#include "maps.h"   /* tables */
#include "packet.h" /* parse */
#include "lookup.h" /* classify: which Service, which backend */
#include "flow.h"   /* remember */
#include "nat.h"    /* act */
#include "hook_tc.h"
#include "hook_host.h"
#include "hook_socket.h"
#include "expire.h"
#include "hook_explain.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
