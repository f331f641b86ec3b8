// sock_diag: connected UDP sockets of the process's network namespace, listed and destroyed.
#pragma once

#include <napi.h>

namespace turnout {

void init_sock_diag(Napi::Env env, Napi::Object exports);

}  // namespace turnout
