// BTF as plain values: ObjectDescription and MapDescription of src/native/addon.ts.
#pragma once

#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <napi.h>

namespace turnout {

Napi::Object describe_object(Napi::Env env, const bpf_object* object);

// From the BTF that the kernel keeps with the map; key and value are null where it has none.
Napi::Object describe_map(Napi::Env env, const bpf_map_info& info);

}  // namespace turnout
