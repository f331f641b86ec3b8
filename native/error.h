// Failures: plain values that any thread can make, turned into a BpfError (the class lives in TypeScript) on the JS thread.
#pragma once

#include <napi.h>

#include <string>

namespace turnout {

struct Failure {
  std::string code;       // "ENOENT", "ECLOSED", ... stable, for programs
  std::string operation;  // "map.get"
  std::string reason;     // a sentence for people
  std::string detail;     // libbpf's messages and the verifier log, else ""
};

// A Failure from errno or a libbpf error; the sign does not matter.
Failure errno_failure(std::string operation, int error, std::string detail = "");

// The BpfError to throw (or to reject with).
Napi::Error to_js(Napi::Env env, const Failure& failure);
Napi::Error errno_error(Napi::Env env, std::string operation, int error, std::string detail = "");

// TypeScript has checked all arguments; this throws a plain Error when it has not.
void assert_that(Napi::Env env, bool claim, const char* text);

// Exports setErrorClass(BpfError), called once by src/native/load-addon.ts.
void init_error(Napi::Env env, Napi::Object exports);

// While it lives, libbpf's messages of this thread are collected here. Without one they go nowhere: libbpf never writes to
// stderr. Thread-local, so that a load on a worker and calls on the JS thread do not mix.
class LogCapture {
 public:
  LogCapture();
  ~LogCapture();
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;
  // The messages, shortened in the middle when they are very long (verifier logs can be megabytes).
  std::string text() const;

 private:
  std::string text_;
  std::string* outer_;
};

}  // namespace turnout
