#include "error.h"

#include <bpf/libbpf.h>

#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <utility>

#include "instance.h"

namespace turnout {
namespace {

constexpr int kErrnoNotSupported = 524;  // the kernel's ENOTSUPP, which no libc knows
constexpr size_t kLogHead = 8 * 1024;
constexpr size_t kLogTail = 256 * 1024;

thread_local std::string* log_sink = nullptr;

int collect_log(libbpf_print_level level, const char* format, va_list arguments) {
  if (log_sink == nullptr || level == LIBBPF_DEBUG) return 0;
  va_list again;
  va_copy(again, arguments);
  int length = vsnprintf(nullptr, 0, format, arguments);
  if (length > 0) {
    size_t old = log_sink->size();
    log_sink->resize(old + length + 1);
    vsnprintf(log_sink->data() + old, length + 1, format, again);
    log_sink->resize(old + length);
  }
  va_end(again);
  return 0;
}

// LIBBPF_ERRNO__FORMAT becomes "EFORMAT".
const char* libbpf_error_name(int error) {
  switch (error) {
    case LIBBPF_ERRNO__LIBELF:
      return "ELIBELF";
    case LIBBPF_ERRNO__FORMAT:
      return "EFORMAT";
    case LIBBPF_ERRNO__KVERSION:
      return "EKVERSION";
    case LIBBPF_ERRNO__ENDIAN:
      return "EENDIAN";
    case LIBBPF_ERRNO__INTERNAL:
      return "EINTERNAL";
    case LIBBPF_ERRNO__RELOC:
      return "ERELOC";
    case LIBBPF_ERRNO__LOAD:
      return "ELOAD";
    case LIBBPF_ERRNO__VERIFY:
      return "EVERIFY";
    case LIBBPF_ERRNO__PROG2BIG:
      return "EPROG2BIG";
    case LIBBPF_ERRNO__KVER:
      return "EKVER";
    case LIBBPF_ERRNO__PROGTYPE:
      return "EPROGTYPE";
    case LIBBPF_ERRNO__WRNGPID:
      return "EWRNGPID";
    case LIBBPF_ERRNO__INVSEQ:
      return "EINVSEQ";
    case LIBBPF_ERRNO__NLPARSE:
      return "ENLPARSE";
    default:
      return nullptr;
  }
}

std::string error_code(int error) {
  const char* name = error >= __LIBBPF_ERRNO__START ? libbpf_error_name(error) : strerrorname_np(error);
  if (error == kErrnoNotSupported) name = "ENOTSUPP";
  return name != nullptr ? name : "E" + std::to_string(error);
}

std::string error_reason(int error) {
  if (error == kErrnoNotSupported) return "Not supported by this kernel";
  if (error < __LIBBPF_ERRNO__START) return strerror(error);
  char text[256];
  libbpf_strerror(error, text, sizeof text);
  return text;
}

void set_error_class(const Napi::CallbackInfo& info) {
  instance(info.Env()).error_class = Napi::Persistent(info[0].As<Napi::Function>());
}

}  // namespace

Failure errno_failure(std::string operation, int error, std::string detail) {
  if (error < 0) error = -error;
  return {error_code(error), std::move(operation), error_reason(error), std::move(detail)};
}

Napi::Error to_js(Napi::Env env, const Failure& failure) {
  Napi::Object error = instance(env).error_class.New({
      Napi::String::New(env, failure.code),
      Napi::String::New(env, failure.operation),
      Napi::String::New(env, failure.reason),
      Napi::String::New(env, failure.detail),
  });
  return Napi::Error(env, error);
}

Napi::Error errno_error(Napi::Env env, std::string operation, int error, std::string detail) {
  return to_js(env, errno_failure(std::move(operation), error, std::move(detail)));
}

void assert_that(Napi::Env env, bool claim, const char* text) {
  if (!claim) throw Napi::Error::New(env, std::string("turnout.node: assertion failed: ") + text);
}

void init_error(Napi::Env env, Napi::Object exports) {
  libbpf_set_print(collect_log);
  exports.Set("setErrorClass", Napi::Function::New(env, set_error_class));
}

LogCapture::LogCapture() : outer_(log_sink) { log_sink = &text_; }
LogCapture::~LogCapture() { log_sink = outer_; }

std::string LogCapture::text() const {
  if (text_.size() <= kLogHead + kLogTail) return text_;
  return text_.substr(0, kLogHead) + "\n[... shortened ...]\n" + text_.substr(text_.size() - kLogTail);
}

}  // namespace turnout
