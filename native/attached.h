// Which programs hang on a device, in the order in which they run. Whoever attached them.
#pragma once

#include <napi.h>

namespace turnout {

void init_attached(Napi::Env env, Napi::Object exports);

}  // namespace turnout
