#include "system.h"

#include <bpf/libbpf.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "error.h"
#include "fd.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif
#ifndef BPF_FS_MAGIC
#define BPF_FS_MAGIC 0xcafe4a11
#endif

namespace turnout {
namespace {

void mount_bpffs(const Napi::CallbackInfo& info) {
  std::string path = info[0].As<Napi::String>();
  if (mount("bpf", path.c_str(), "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") != 0) {
    throw errno_error(info.Env(), "mountBpffs", errno, path);
  }
}

Napi::Value is_bpffs(const Napi::CallbackInfo& info) {
  std::string path = info[0].As<Napi::String>();
  struct statfs filesystem = {};
  if (statfs(path.c_str(), &filesystem) != 0) throw errno_error(info.Env(), "isBpffs", errno, path);
  return Napi::Boolean::New(info.Env(), static_cast<uint32_t>(filesystem.f_type) == BPF_FS_MAGIC);
}

void unlink_pin(const Napi::CallbackInfo& info) {
  std::string path = info[0].As<Napi::String>();
  if (unlink(path.c_str()) != 0) throw errno_error(info.Env(), "unpin", errno, path);
}

Napi::Value netns_cookie(const Napi::CallbackInfo& info) {
  uint64_t cookie = 0;
  socklen_t length = sizeof cookie;
  Fd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd || getsockopt(fd.get(), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &length) != 0) {
    throw errno_error(info.Env(), "netnsCookie", errno);
  }
  return Napi::BigInt::New(info.Env(), cookie);
}

Napi::Value possible_cpus(const Napi::CallbackInfo& info) {
  int count = libbpf_num_possible_cpus();
  if (count < 0) throw errno_error(info.Env(), "possibleCpus", count);
  return Napi::Number::New(info.Env(), count);
}

Napi::Value monotonic_ns(const Napi::CallbackInfo& info) {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return Napi::BigInt::New(info.Env(), static_cast<uint64_t>(now.tv_sec) * 1000000000 + now.tv_nsec);
}

}  // namespace

void init_system(Napi::Env env, Napi::Object exports) {
  exports.Set("mountBpffs", Napi::Function::New(env, mount_bpffs));
  exports.Set("isBpffs", Napi::Function::New(env, is_bpffs));
  exports.Set("unlinkPin", Napi::Function::New(env, unlink_pin));
  exports.Set("netnsCookie", Napi::Function::New(env, netns_cookie));
  exports.Set("possibleCpus", Napi::Function::New(env, possible_cpus));
  exports.Set("monotonicNs", Napi::Function::New(env, monotonic_ns));
}

}  // namespace turnout
