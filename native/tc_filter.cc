#include "tc_filter.h"

#include <bpf/bpf.h>

#include <cerrno>
#include <string>

#include "error.h"
#include "program.h"

namespace turnout {
namespace {

// Without the qdisc or without any filter at our priority the kernel says EINVAL; there is no filter, then.
int missing_is_enoent(int error) { return error == -EINVAL ? -ENOENT : error; }

}  // namespace

void TcFilter::init(Napi::Env env, Napi::Object exports) {
  exports.Set("TcFilter", DefineClass(env, "TcFilter",
                                      {
                                          InstanceMethod("info", &TcFilter::info),
                                          InstanceMethod("update", &TcFilter::update),
                                          InstanceMethod("detach", &TcFilter::detach),
                                      }));
}

TcFilter::TcFilter(const Napi::CallbackInfo& info) : Napi::ObjectWrap<TcFilter>(info) {
  auto env = info.Env();
  auto point = info[1].As<Napi::Object>();
  hook_.sz = sizeof hook_;
  hook_.ifindex = point.Get("ifindex").As<Napi::Number>().Int32Value();
  hook_.attach_point = point.Get("direction").As<Napi::String>().Utf8Value() == "ingress" ? BPF_TC_INGRESS : BPF_TC_EGRESS;
  priority_ = point.Get("priority").As<Napi::Number>().Uint32Value();
  handle_ = point.Get("handle").As<Napi::Number>().Uint32Value();
  if (info[0].IsNull()) {
    query(env, "link.openClsact");
    return;
  }
  LogCapture log;
  int error = bpf_tc_hook_create(&hook_);
  if (error != 0 && error != -EEXIST) throw errno_error(env, "program.attach", error, log.text());
  attach(env, "program.attach", Program::Unwrap(info[0].As<Napi::Object>())->fd());
}

void TcFilter::attach(Napi::Env env, const char* operation, int program_fd) {
  LIBBPF_OPTS(bpf_tc_opts, options);
  options.handle = handle_;
  options.priority = priority_;
  options.prog_fd = program_fd;
  options.flags = BPF_TC_F_REPLACE;
  LogCapture log;
  int error = bpf_tc_attach(&hook_, &options);
  if (error != 0) throw errno_error(env, operation, error, log.text());
}

uint32_t TcFilter::query(Napi::Env env, const char* operation) {
  LIBBPF_OPTS(bpf_tc_opts, options);
  options.handle = handle_;
  options.priority = priority_;
  LogCapture log;
  int error = missing_is_enoent(bpf_tc_query(&hook_, &options));
  if (error != 0) throw errno_error(env, operation, error, log.text());
  return options.prog_id;
}

Napi::Value TcFilter::info(const Napi::CallbackInfo& info) {
  auto env = info.Env();
  auto result = Napi::Object::New(env);
  result.Set("id", 0);
  result.Set("type", 0);
  result.Set("programId", query(env, "link.info"));
  result.Set("ifindex", hook_.ifindex);
  result.Set("cgroupId", Napi::BigInt::New(env, uint64_t{0}));
  result.Set("attachType", static_cast<int>(hook_.attach_point == BPF_TC_INGRESS ? BPF_TCX_INGRESS : BPF_TCX_EGRESS));
  return result;
}

void TcFilter::update(const Napi::CallbackInfo& info) {
  attach(info.Env(), "link.update", Program::Unwrap(info[0].As<Napi::Object>())->fd());
}

void TcFilter::detach(const Napi::CallbackInfo& info) {
  LIBBPF_OPTS(bpf_tc_opts, options);
  options.handle = handle_;
  options.priority = priority_;
  LogCapture log;
  // The clsact qdisc stays: other programs may have filters there.
  int error = missing_is_enoent(bpf_tc_detach(&hook_, &options));
  if (error != 0) throw errno_error(info.Env(), "link.detach", error, log.text());
}

}  // namespace turnout
