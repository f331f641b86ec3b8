#include "link.h"

#include <bpf/bpf.h>
#include <linux/if_link.h>

#include <cerrno>
#include <string>

#include "error.h"
#include "pin.h"
#include "program.h"

namespace turnout {
namespace {

int attach_tcx(const Program& program, const Napi::Object& point) {
  bool is_ingress = point.Get("direction").As<Napi::String>().Utf8Value() == "ingress";
  int ifindex = point.Get("ifindex").As<Napi::Number>().Int32Value();
  return bpf_link_create(program.fd(), ifindex, is_ingress ? BPF_TCX_INGRESS : BPF_TCX_EGRESS, nullptr);
}

int attach_xdp(const Program& program, const Napi::Object& point) {
  std::string mode = point.Get("mode").As<Napi::String>();
  LIBBPF_OPTS(bpf_link_create_opts, options);
  if (mode == "native") options.flags = XDP_FLAGS_DRV_MODE;
  if (mode == "generic") options.flags = XDP_FLAGS_SKB_MODE;
  return bpf_link_create(program.fd(), point.Get("ifindex").As<Napi::Number>().Int32Value(), BPF_XDP, &options);
}

int attach_cgroup(const Program& program, const Napi::Object& point) {
  std::string path = point.Get("path").As<Napi::String>();
  Fd cgroup(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!cgroup) return -1;
  return bpf_link_create(program.fd(), cgroup.get(), static_cast<bpf_attach_type>(program.expected_attach_type()), nullptr);
}

int attach(const Program& program, const Napi::Object& point) {
  std::string kind = point.Get("kind").As<Napi::String>();
  if (kind == "tcx") return attach_tcx(program, point);
  if (kind == "xdp") return attach_xdp(program, point);
  return attach_cgroup(program, point);
}

}  // namespace

void Link::init(Napi::Env env, Napi::Object exports) {
  exports.Set("Link", DefineClass(env, "Link",
                                  {
                                      InstanceMethod("info", &Link::info),
                                      InstanceMethod("update", &Link::update),
                                      InstanceMethod("pin", &Link::pin),
                                      InstanceMethod("detach", &Link::detach),
                                      InstanceMethod("close", &Link::close),
                                  }));
}

Link::Link(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Link>(info) {
  auto env = info.Env();
  if (info[0].IsString()) {
    fd_ = open_pin(env, "link.openPinned", info[0].As<Napi::String>(), HandleKind::kLink);
    return;
  }
  LogCapture log;
  int fd = attach(*Program::Unwrap(info[0].As<Napi::Object>()), info[1].As<Napi::Object>());
  if (fd < 0) throw errno_error(env, "program.attach", errno, log.text());
  fd_ = share(fd);
}

Napi::Value Link::info(const Napi::CallbackInfo& info) {
  auto env = info.Env();
  bpf_link_info link = {};
  uint32_t length = sizeof link;
  if (bpf_link_get_info_by_fd(fd_->get(), &link, &length) != 0) throw errno_error(env, "link.info", errno);
  uint32_t ifindex = 0, attach_type = 0;
  uint64_t cgroup_id = 0;
  switch (link.type) {
    case BPF_LINK_TYPE_TCX:
      ifindex = link.tcx.ifindex;
      attach_type = link.tcx.attach_type;
      break;
    case BPF_LINK_TYPE_XDP:
      ifindex = link.xdp.ifindex;
      attach_type = BPF_XDP;
      break;
    case BPF_LINK_TYPE_CGROUP:
      cgroup_id = link.cgroup.cgroup_id;
      attach_type = link.cgroup.attach_type;
      break;
  }
  auto result = Napi::Object::New(env);
  result.Set("id", link.id);
  result.Set("type", link.type);
  result.Set("programId", link.prog_id);
  result.Set("ifindex", ifindex);
  result.Set("cgroupId", Napi::BigInt::New(env, cgroup_id));
  result.Set("attachType", attach_type);
  return result;
}

void Link::update(const Napi::CallbackInfo& info) {
  Program* program = Program::Unwrap(info[0].As<Napi::Object>());
  if (bpf_link_update(fd_->get(), program->fd(), nullptr) != 0) throw errno_error(info.Env(), "link.update", errno);
}

void Link::pin(const Napi::CallbackInfo& info) { create_pin(info.Env(), "link.pin", fd_->get(), info[0].As<Napi::String>()); }

void Link::detach(const Napi::CallbackInfo& info) {
  if (bpf_link_detach(fd_->get()) != 0) throw errno_error(info.Env(), "link.detach", errno);
}

void Link::close(const Napi::CallbackInfo& info) { fd_ = std::make_shared<const Fd>(); }

}  // namespace turnout
