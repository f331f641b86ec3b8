#include "attached.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <string>

#include "error.h"
#include "fd.h"

namespace turnout {
namespace {

constexpr uint32_t kMaxPrograms = 64;  // as the kernel's for tcx

// '' where the program is gone already.
std::string name_of(uint32_t program_id) {
  Fd program(bpf_prog_get_fd_by_id(program_id));
  bpf_prog_info info = {};
  uint32_t length = sizeof info;
  if (!program || bpf_prog_get_info_by_fd(program.get(), &info, &length) != 0) return "";
  return info.name;
}

// (ifindex, isIngress): {programId, linkId, name}[]. A kernel without tcx has none; a device that went has none either.
Napi::Value list_tcx_programs(const Napi::CallbackInfo& info) {
  auto env = info.Env();
  uint32_t programs[kMaxPrograms] = {}, links[kMaxPrograms] = {};
  LIBBPF_OPTS(bpf_prog_query_opts, options, .prog_ids = programs, .prog_cnt = kMaxPrograms, .link_ids = links);
  bpf_attach_type type = info[1].As<Napi::Boolean>().Value() ? BPF_TCX_INGRESS : BPF_TCX_EGRESS;
  uint32_t count = 0;
  if (bpf_prog_query_opts(info[0].As<Napi::Number>().Int32Value(), type, &options) == 0) {
    count = options.prog_cnt;
  } else if (errno != EINVAL && errno != ENODEV && errno != ENOENT && errno != EOPNOTSUPP) {
    throw errno_error(env, "listTcxPrograms", errno);
  }
  auto result = Napi::Array::New(env, count);
  for (uint32_t i = 0; i < count; i++) {
    auto program = Napi::Object::New(env);
    program.Set("programId", programs[i]);
    program.Set("linkId", links[i]);
    program.Set("name", name_of(programs[i]));
    result.Set(i, program);
  }
  return result;
}

}  // namespace

void init_attached(Napi::Env env, Napi::Object exports) {
  exports.Set("listTcxPrograms", Napi::Function::New(env, list_tcx_programs));
}

}  // namespace turnout
