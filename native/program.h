// A loaded BPF program: run on test data, attached, pinned.
#pragma once

#include <linux/bpf.h>
#include <napi.h>

#include <string>

#include "fd.h"

namespace turnout {

class Program : public Napi::ObjectWrap<Program> {
 public:
  static void init(Napi::Env env, Napi::Object exports);
  static Napi::Value from_fd(Napi::Env env, const char* operation, int fd, const char* name, int expected_attach_type);

  explicit Program(const Napi::CallbackInfo& info);  // (External, fd, name, expectedAttachType) or (id) or (path of a pin)
  int fd() const { return fd_->get(); }
  const std::string& name() const { return name_; }
  int expected_attach_type() const { return expected_attach_type_; }

 private:
  Napi::Value properties(const Napi::CallbackInfo& info);
  Napi::Value map_ids(const Napi::CallbackInfo& info);         // (): number[]
  Napi::Value test_run(const Napi::CallbackInfo& info);        // (TestRunInput): TestRunResult
  Napi::Value test_run_async(const Napi::CallbackInfo& info);  // (TestRunInput): Promise<TestRunResult>
  void pin(const Napi::CallbackInfo& info);                    // (path)
  void close(const Napi::CallbackInfo& info);

  SharedFd fd_;
  std::string name_;
  int expected_attach_type_ = -1;  // the kernel does not tell: unknown for pinned programs
  bpf_prog_info info_ = {};
};

}  // namespace turnout
