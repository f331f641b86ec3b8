#include "pin.h"

#include <bpf/bpf.h>

#include <cerrno>

#include "error.h"

namespace turnout {
namespace {

std::string inode_name(int fd) {
  char target[64] = {};
  std::string path = "/proc/self/fd/" + std::to_string(fd);
  return readlink(path.c_str(), target, sizeof target - 1) < 0 ? "" : target;
}

bool is_kind(const std::string& name, HandleKind kind) {
  switch (kind) {
    case HandleKind::kMap:
      return name == "anon_inode:bpf-map";
    case HandleKind::kProgram:
      return name == "anon_inode:bpf-prog";
    case HandleKind::kLink:
      return name == "anon_inode:bpf-link" || name == "anon_inode:bpf_link";  // both exist
  }
  return false;
}

}  // namespace

SharedFd open_pin(Napi::Env env, const char* operation, const std::string& path, HandleKind kind) {
  int fd = bpf_obj_get(path.c_str());
  if (fd < 0) throw errno_error(env, operation, errno, path);
  SharedFd shared = share(fd);
  std::string name = inode_name(fd);
  if (!is_kind(name, kind)) throw to_js(env, {"EWRONGKIND", operation, path + " is " + name, ""});
  return shared;
}

void create_pin(Napi::Env env, const char* operation, int fd, const std::string& path) {
  if (bpf_obj_pin(fd, path.c_str()) != 0) throw errno_error(env, operation, errno, path);
}

}  // namespace turnout
