// One BPF_PROG_TEST_RUN: plain values in and out, so that it can run on any thread.
#pragma once

#include <napi.h>

#include <vector>

#include "fd.h"

namespace turnout {

class TestRun {
 public:
  TestRun(SharedFd program, uint32_t program_type, Napi::Object input);
  int execute();  // 0 or a positive errno
  Napi::Object result(Napi::Env env) const;

 private:
  SharedFd program_;
  bool is_syscall_;
  bool has_data_ = false;
  uint32_t repeat_ = 1;
  std::vector<uint8_t> data_;
  std::vector<uint8_t> context_;  // in; after execute() out
  std::vector<uint8_t> output_;
  uint32_t return_value_ = 0;
  uint32_t duration_ns_ = 0;
};

Napi::Promise queue_test_run(Napi::Env env, TestRun run);

}  // namespace turnout
