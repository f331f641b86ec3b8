// Pins: names in a bpffs that keep kernel objects alive.
#pragma once

#include <napi.h>

#include <string>

#include "fd.h"

namespace turnout {

enum class HandleKind { kMap, kProgram, kLink };

// Opens a pin and makes sure that it is of this kind (the kernel would answer questions about any kind): else EWRONGKIND.
SharedFd open_pin(Napi::Env env, const char* operation, const std::string& path, HandleKind kind);
void create_pin(Napi::Env env, const char* operation, int fd, const std::string& path);

}  // namespace turnout
