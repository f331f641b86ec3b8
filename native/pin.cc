#include "pin.h"

#include <bpf/bpf.h>

#include <cerrno>

#include "error.h"

namespace turnout {
namespace {

// "anon_inode:bpf-map", "anon_inode:bpf-prog", "anon_inode:bpf_link"
std::string inode_name(int fd) {
	char target[64] = {};
	std::string path = "/proc/self/fd/" + std::to_string(fd);
	return readlink(path.c_str(), target, sizeof target - 1) < 0 ? "" : target;
}

const char* wanted_name(HandleKind kind) {
	switch (kind) {
		case HandleKind::kMap: return "anon_inode:bpf-map";
		case HandleKind::kProgram: return "anon_inode:bpf-prog";
		case HandleKind::kLink: return "anon_inode:bpf_link";
	}
	return "";
}

}  // namespace

SharedFd open_pin(Napi::Env env, const char* operation, const std::string& path, HandleKind kind) {
	int fd = bpf_obj_get(path.c_str());
	if (fd < 0) throw errno_error(env, operation, errno, path);
	SharedFd shared = share(fd);
	std::string name = inode_name(fd);
	if (name.rfind(wanted_name(kind), 0) != 0) {  // links are called "bpf_link" or "bpf-link", see below
		bool is_link = kind == HandleKind::kLink && name.rfind("anon_inode:bpf-link", 0) == 0;
		if (!is_link) throw to_js(env, {"EWRONGKIND", operation, path + " is " + name, ""});
	}
	return shared;
}

void create_pin(Napi::Env env, const char* operation, int fd, const std::string& path) {
	if (bpf_obj_pin(fd, path.c_str()) != 0) throw errno_error(env, operation, errno, path);
}

}  // namespace turnout
