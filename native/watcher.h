// Calls back on the JS thread when a descriptor becomes readable. A thread sleeps in epoll and only says "readable"; all
// reading happens on the JS thread. One wake-up at a time: the next one is armed when the callback has returned.
// (libuv's poll handles would need uv.h, which Node-API does not bring.)
#pragma once

#include <napi.h>

#include <functional>
#include <memory>

namespace turnout {

class Watcher {
 public:
  // fd stays the caller's, and must stay open until close(). Keeps the process alive until then.
  Watcher(Napi::Env env, const char* name, int fd, std::function<void(Napi::Env)> on_readable);
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;
  void close();  // twice is fine; also from within on_readable

  struct State;

 private:
  std::shared_ptr<State> state_;
};

}  // namespace turnout
