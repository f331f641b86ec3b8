#include "watcher.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <system_error>
#include <thread>

#include "fd.h"

namespace turnout {

struct Watcher::State {
  using Shared = std::shared_ptr<State>;
  static void on_js_thread(Napi::Env env, Napi::Function, Shared* state, void*);
  using Wakeup = Napi::TypedThreadSafeFunction<Shared, void, on_js_thread>;

  void run();
  void arm(int operation);
  void close();

  napi_env env = nullptr;
  int fd = -1;
  Fd epoll;
  Fd stop;
  bool is_closed = false;  // JS thread only
  std::function<void(Napi::Env)> on_readable;
  Wakeup wakeup;
  std::thread thread;
  std::unique_ptr<Napi::Env::CleanupHook<void (*)(State*), State>> cleanup;
};

namespace {

void arm_again(Watcher::State* state) {
  if (!state->is_closed) state->arm(EPOLL_CTL_MOD);
}

}  // namespace

void Watcher::State::arm(int operation) {
  epoll_event event = {};
  event.events = EPOLLIN | EPOLLONESHOT;
  event.data.fd = fd;
  epoll_ctl(epoll.get(), operation, fd, &event);
}

void Watcher::State::run() {
  for (;;) {
    epoll_event event = {};
    int count = epoll_wait(epoll.get(), &event, 1, -1);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 || event.data.fd == stop.get()) return;
    if (wakeup.NonBlockingCall() != napi_ok) return;
  }
}

void Watcher::State::on_js_thread(Napi::Env env, Napi::Function, Shared* context, void*) {
  Shared state = *context;
  if (env == nullptr || state->is_closed) return;
  // Also when the callback throws: the error is the process's to judge, the descriptor is still watched.
  std::unique_ptr<State, void (*)(State*)> rearm(state.get(), arm_again);
  auto on_readable = state->on_readable;  // close() within the callback takes the state's copy away
  try {
    on_readable(env);
  } catch (const Napi::Error& error) {
    // Node would only warn of what is thrown out of here; this makes it an uncaught exception like any other.
    napi_fatal_exception(env, error.Value());
  }
}

void Watcher::State::close() {
  if (is_closed) return;
  is_closed = true;
  eventfd_write(stop.get(), 1);
  thread.join();
  wakeup.Release();
  on_readable = nullptr;
}

Watcher::Watcher(Napi::Env env, const char* name, int fd, std::function<void(Napi::Env)> on_readable)
    : state_(std::make_shared<State>()) {
  state_->env = env;
  state_->fd = fd;
  state_->epoll = Fd(epoll_create1(EPOLL_CLOEXEC));
  state_->stop = Fd(eventfd(0, EFD_CLOEXEC));
  if (!state_->epoll || !state_->stop) throw std::system_error(errno, std::generic_category());
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.fd = state_->stop.get();
  epoll_ctl(state_->epoll.get(), EPOLL_CTL_ADD, state_->stop.get(), &event);
  state_->arm(EPOLL_CTL_ADD);
  state_->on_readable = std::move(on_readable);
  state_->wakeup = State::Wakeup::New(
      env, name, 0, 1, new State::Shared(state_), [](Napi::Env, void*, State::Shared* context) { delete context; },
      static_cast<void*>(nullptr));
  state_->thread = std::thread(&State::run, state_.get());
  // The end of the environment (process.exit, worker.terminate) comes without close(): the thread must go first.
  state_->cleanup = std::make_unique<Napi::Env::CleanupHook<void (*)(State*), State>>(
      env.AddCleanupHook(+[](State* state) { state->close(); }, state_.get()));
}

void Watcher::close() {
  if (state_->is_closed) return;
  state_->cleanup->Remove(state_->env);
  state_->close();
}

Watcher::~Watcher() { close(); }

}  // namespace turnout
