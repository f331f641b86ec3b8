#include "program.h"

#include <bpf/bpf.h>

#include <cerrno>
#include <vector>

#include "error.h"
#include "instance.h"
#include "pin.h"
#include "test_run.h"

namespace turnout {

void Program::init(Napi::Env env, Napi::Object exports) {
  Napi::Function constructor = DefineClass(env, "Program",
                                           {
                                               InstanceMethod("properties", &Program::properties),
                                               InstanceMethod("mapIds", &Program::map_ids),
                                               InstanceMethod("testRun", &Program::test_run),
                                               InstanceMethod("testRunAsync", &Program::test_run_async),
                                               InstanceMethod("pin", &Program::pin),
                                               InstanceMethod("close", &Program::close),
                                           });
  instance(env).program = Napi::Persistent(constructor);
  exports.Set("Program", constructor);
}

Napi::Value Program::from_fd(Napi::Env env, const char* operation, int fd, const char* name, int expected_attach_type) {
  if (fd < 0) throw errno_error(env, operation, errno);
  return instance(env).program.New({Napi::External<void>::New(env, nullptr), Napi::Number::New(env, fd),
                                    Napi::String::New(env, name), Napi::Number::New(env, expected_attach_type)});
}

Program::Program(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Program>(info) {
  auto env = info.Env();
  if (info[0].IsExternal()) {
    fd_ = share(info[1].As<Napi::Number>().Int32Value());
    name_ = info[2].As<Napi::String>();
    expected_attach_type_ = info[3].As<Napi::Number>().Int32Value();
  } else if (info[0].IsNumber()) {
    int by_id = bpf_prog_get_fd_by_id(info[0].As<Napi::Number>().Uint32Value());
    if (by_id < 0) throw errno_error(env, "program.openById", errno);
    fd_ = share(by_id);
  } else {
    fd_ = open_pin(env, "program.openPinned", info[0].As<Napi::String>(), HandleKind::kProgram);
  }
  uint32_t length = sizeof info_;
  if (bpf_prog_get_info_by_fd(fd(), &info_, &length) != 0) throw errno_error(env, "program.info", errno);
  if (name_.empty()) name_ = info_.name;
}

Napi::Value Program::properties(const Napi::CallbackInfo& info) {
  auto properties = Napi::Object::New(info.Env());
  properties.Set("id", info_.id);
  properties.Set("name", name_);
  properties.Set("type", info_.type);
  std::string tag;
  for (uint8_t octet : info_.tag) {
    constexpr char kDigits[] = "0123456789abcdef";
    tag += {kDigits[octet >> 4], kDigits[octet & 15]};
  }
  properties.Set("tag", tag);
  return properties;
}

Napi::Value Program::map_ids(const Napi::CallbackInfo& info) {
  auto env = info.Env();
  bpf_prog_info program = {};
  uint32_t length = sizeof program;
  if (bpf_prog_get_info_by_fd(fd(), &program, &length) != 0) throw errno_error(env, "program.mapIds", errno);
  std::vector<uint32_t> ids(program.nr_map_ids);
  program = {};
  program.nr_map_ids = static_cast<uint32_t>(ids.size());
  program.map_ids = reinterpret_cast<uintptr_t>(ids.data());
  if (bpf_prog_get_info_by_fd(fd(), &program, &length) != 0) throw errno_error(env, "program.mapIds", errno);
  auto result = Napi::Array::New(env, ids.size());
  for (uint32_t i = 0; i < ids.size(); i++) result.Set(i, ids[i]);
  return result;
}

Napi::Value Program::test_run(const Napi::CallbackInfo& info) {
  TestRun run(fd_, info_.type, info[0].As<Napi::Object>());
  int error = run.execute();
  if (error != 0) throw errno_error(info.Env(), "program.testRun", error);
  return run.result(info.Env());
}

Napi::Value Program::test_run_async(const Napi::CallbackInfo& info) {
  return queue_test_run(info.Env(), TestRun(fd_, info_.type, info[0].As<Napi::Object>()));
}

void Program::pin(const Napi::CallbackInfo& info) { create_pin(info.Env(), "program.pin", fd(), info[0].As<Napi::String>()); }

void Program::close(const Napi::CallbackInfo& info) { fd_ = std::make_shared<const Fd>(); }

}  // namespace turnout
