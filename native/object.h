// A BPF object file: opened, described, configured, loaded.
#pragma once

#include <bpf/libbpf.h>
#include <napi.h>

#include <memory>

namespace turnout {

class Object : public Napi::ObjectWrap<Object> {
 public:
  static void init(Napi::Env env, Napi::Object exports);
  explicit Object(const Napi::CallbackInfo& info);  // (path)

 private:
  Napi::Value describe(const Napi::CallbackInfo& info);
  void set_variable(const Napi::CallbackInfo& info);     // (name, bytes)
  void set_max_entries(const Napi::CallbackInfo& info);  // (map, maxEntries)
  void reuse_map(const Napi::CallbackInfo& info);        // (map, Map)
  void set_autoload(const Napi::CallbackInfo& info);     // (program, on)
  Napi::Value load(const Napi::CallbackInfo& info);      // Promise
  Napi::Value map(const Napi::CallbackInfo& info);       // (name): Map
  Napi::Value program(const Napi::CallbackInfo& info);   // (name): Program
  void close(const Napi::CallbackInfo& info);

  bpf_map* find_map(Napi::Env env, const char* operation, const Napi::Value& name);
  bpf_program* find_program(Napi::Env env, const char* operation, const Napi::Value& name);

  // Shared with a running load, so that close() under it is harmless.
  std::shared_ptr<bpf_object> object_;
};

}  // namespace turnout
