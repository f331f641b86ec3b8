// The machine round the maps: bpffs, pins as files, network namespace, CPUs, clock.
#pragma once

#include <napi.h>

namespace turnout {

void init_system(Napi::Env env, Napi::Object exports);

}  // namespace turnout
