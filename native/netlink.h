// rtnetlink: devices, addresses and routes of the process's network namespace, listed and followed. Both families.
#pragma once

#include <libmnl/libmnl.h>
#include <napi.h>

#include <memory>

#include "watcher.h"

namespace turnout {

void init_netlink(Napi::Env env, Napi::Object exports);

// Hears of changes from its construction to close().
class NetlinkFollower : public Napi::ObjectWrap<NetlinkFollower> {
 public:
  static void init(Napi::Env env, Napi::Object exports);
  explicit NetlinkFollower(const Napi::CallbackInfo& info);  // ((events: NetlinkEvent[]) => void, receiveBufferBytes)

 private:
  void drain(Napi::Env env);
  void close(const Napi::CallbackInfo& info);

  std::unique_ptr<mnl_socket, int (*)(mnl_socket*)> socket_{nullptr, mnl_socket_close};
  Napi::FunctionReference callback_;
  std::unique_ptr<Watcher> watcher_;
};

}  // namespace turnout
