// A bpf_link: a program attached to tcx, XDP or a cgroup. Attached for as long as a descriptor or a pin holds it.
#pragma once

#include <napi.h>

#include "fd.h"

namespace turnout {

class Link : public Napi::ObjectWrap<Link> {
 public:
  static void init(Napi::Env env, Napi::Object exports);
  explicit Link(const Napi::CallbackInfo& info);  // (Program, AttachPoint) or (path of a pin)

 private:
  Napi::Value info(const Napi::CallbackInfo& info);
  void update(const Napi::CallbackInfo& info);  // (Program)
  void pin(const Napi::CallbackInfo& info);     // (path)
  void detach(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  SharedFd fd_;
};

}  // namespace turnout
