#include "netlink.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "error.h"
#include "netlink_message.h"

namespace turnout {
namespace {

using Socket = std::unique_ptr<mnl_socket, int (*)(mnl_socket*)>;

constexpr size_t kReceiveSize = 64 * 1024;  // the kernel fills what it is given, up to 32 KiB a message of a dump
constexpr int kMessagesPerTurn = 256;       // then the event loop gets its turn
constexpr int kDumpAttempts = 16;

Socket open_socket(Napi::Env env, const char* operation, int flags, unsigned groups) {
  Socket socket(mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | flags), mnl_socket_close);
  if (socket == nullptr || mnl_socket_bind(socket.get(), groups, MNL_SOCKET_AUTOPID) != 0) {
    throw errno_error(env, operation, errno);
  }
  return socket;
}

void send_dump_request(Napi::Env env, const char* operation, mnl_socket* socket, int type) {
  char buffer[256] = {};
  nlmsghdr* request = mnl_nlmsg_put_header(buffer);
  request->nlmsg_type = type;
  request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  // All families. The three headers begin with the family and are zero otherwise.
  mnl_nlmsg_put_extra_header(request, type == RTM_GETLINK   ? sizeof(ifinfomsg)
                                      : type == RTM_GETADDR ? sizeof(ifaddrmsg)
                                                            : sizeof(rtmsg));
  if (mnl_socket_sendto(socket, request, request->nlmsg_len) < 0) throw errno_error(env, operation, errno);
}

// One dump: the values named `kind` in what the kernel answers. False when something changed in between.
bool dump_once(Napi::Env env, const char* operation, int type, const char* kind, Napi::Array& result) {
  Socket socket = open_socket(env, operation, 0, 0);
  send_dump_request(env, operation, socket.get(), type);
  std::vector<char> buffer(kReceiveSize);
  for (;;) {
    ssize_t size = mnl_socket_recvfrom(socket.get(), buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) throw errno_error(env, operation, errno);
    int left = static_cast<int>(size);
    for (auto* message = reinterpret_cast<nlmsghdr*>(buffer.data()); mnl_nlmsg_ok(message, left);
         message = mnl_nlmsg_next(message, &left)) {
      if (message->nlmsg_flags & NLM_F_DUMP_INTR) return false;
      if (message->nlmsg_type == NLMSG_DONE) return true;
      if (message->nlmsg_type == NLMSG_ERROR) {
        throw errno_error(env, operation, static_cast<nlmsgerr*>(mnl_nlmsg_get_payload(message))->error);
      }
      Napi::Value event = netlink_event(env, message);
      if (event.IsObject()) result.Set(result.Length(), event.As<Napi::Object>().Get(kind));
    }
  }
}

Napi::Value dump(Napi::Env env, const char* operation, int type, const char* kind) {
  for (int attempt = 0; attempt < kDumpAttempts; attempt++) {
    auto result = Napi::Array::New(env);
    if (dump_once(env, operation, type, kind, result)) return result;
  }
  throw errno_error(env, operation, EINTR, "the tables changed during each of several dumps");
}

Napi::Value list_devices(const Napi::CallbackInfo& info) {
  return dump(info.Env(), "netlink.listDevices", RTM_GETLINK, "device");
}
Napi::Value list_addresses(const Napi::CallbackInfo& info) {
  return dump(info.Env(), "netlink.listAddresses", RTM_GETADDR, "address");
}
Napi::Value list_routes(const Napi::CallbackInfo& info) { return dump(info.Env(), "netlink.listRoutes", RTM_GETROUTE, "route"); }

}  // namespace

void init_netlink(Napi::Env env, Napi::Object exports) {
  exports.Set("listDevices", Napi::Function::New(env, list_devices));
  exports.Set("listAddresses", Napi::Function::New(env, list_addresses));
  exports.Set("listRoutes", Napi::Function::New(env, list_routes));
}

void NetlinkFollower::init(Napi::Env env, Napi::Object exports) {
  exports.Set("NetlinkFollower", DefineClass(env, "NetlinkFollower", {InstanceMethod("close", &NetlinkFollower::close)}));
}

NetlinkFollower::NetlinkFollower(const Napi::CallbackInfo& info) : Napi::ObjectWrap<NetlinkFollower>(info) {
  auto env = info.Env();
  callback_ = Napi::Persistent(info[0].As<Napi::Function>());
  socket_ = open_socket(env, "netlink.follow", SOCK_NONBLOCK,
                        RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE);
  int fd = mnl_socket_get_fd(socket_.get());
  int size = info[1].As<Napi::Number>().Int32Value();
  // FORCE may exceed net.core.rmem_max and needs CAP_NET_ADMIN; without it take what there is.
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0) {
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  }
  watcher_ = std::make_unique<Watcher>(env, "turnout.netlink", fd, [this](Napi::Env on) { drain(on); });
  Ref();  // until close(): a follower that nobody holds still follows
}

void NetlinkFollower::drain(Napi::Env env) {
  Napi::HandleScope scope(env);
  auto events = Napi::Array::New(env);
  std::vector<char> buffer(kReceiveSize);
  for (int turn = 0; turn < kMessagesPerTurn; turn++) {
    ssize_t size = recv(mnl_socket_get_fd(socket_.get()), buffer.data(), buffer.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == ENOBUFS) {  // the kernel had to throw events away
      auto overrun = Napi::Object::New(env);
      overrun.Set("kind", "overrun");
      events.Set(events.Length(), overrun);
      continue;
    }
    if (size < 0) break;
    int left = static_cast<int>(size);
    for (auto* message = reinterpret_cast<nlmsghdr*>(buffer.data()); mnl_nlmsg_ok(message, left);
         message = mnl_nlmsg_next(message, &left)) {
      Napi::Value event = netlink_event(env, message);
      if (event.IsObject()) events.Set(events.Length(), event);
    }
  }
  if (events.Length() > 0) callback_.Call({events});
}

void NetlinkFollower::close(const Napi::CallbackInfo& info) {
  if (watcher_ == nullptr) return;
  watcher_.reset();
  socket_.reset();
  callback_.Reset();
  Unref();
}

}  // namespace turnout
