// A file descriptor that closes itself.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <memory>
#include <utility>

namespace turnout {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// Shared by a handle and the work that still uses it: closing the handle under running work is harmless.
using SharedFd = std::shared_ptr<const Fd>;

inline SharedFd share(int fd) { return std::make_shared<const Fd>(fd); }
inline int duplicate(int fd) { return fcntl(fd, F_DUPFD_CLOEXEC, 3); }

}  // namespace turnout
