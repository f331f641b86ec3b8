// What one JavaScript environment (the main thread or a worker) keeps: the addon may be loaded in several at once.
#pragma once

#include <napi.h>

namespace turnout {

struct Instance {
  Napi::FunctionReference error_class;  // BpfError, made in TypeScript
  Napi::FunctionReference map;
  Napi::FunctionReference program;
  Napi::FunctionReference link;
  Napi::FunctionReference tc_filter;
};

inline Instance& instance(Napi::Env env) { return *env.GetInstanceData<Instance>(); }

}  // namespace turnout
