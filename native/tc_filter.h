// A direct-action BPF filter at clsact: what stands for a link on kernels without tcx. Known by device, direction, priority
// and handle; it stays in the kernel by itself until detached.
#pragma once

#include <bpf/libbpf.h>
#include <napi.h>

namespace turnout {

class TcFilter : public Napi::ObjectWrap<TcFilter> {
 public:
  static void init(Napi::Env env, Napi::Object exports);
  explicit TcFilter(const Napi::CallbackInfo& info);  // (Program | null, AttachPoint); null: it must exist

 private:
  Napi::Value info(const Napi::CallbackInfo& info);
  void update(const Napi::CallbackInfo& info);  // (Program)
  void detach(const Napi::CallbackInfo& info);
  void attach(Napi::Env env, const char* operation, int program_fd);
  uint32_t query(Napi::Env env, const char* operation);  // program id

  bpf_tc_hook hook_ = {};
  uint32_t priority_ = 0;
  uint32_t handle_ = 0;
};

}  // namespace turnout
