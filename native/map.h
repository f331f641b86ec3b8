// A BPF map. Owns its own file descriptor, so it does not depend on the object that it came from.
#pragma once

#include <linux/bpf.h>
#include <napi.h>

#include "fd.h"

namespace turnout {

class Map : public Napi::ObjectWrap<Map> {
 public:
  static void init(Napi::Env env, Napi::Object exports);
  // Takes the descriptor over; throws the BpfError when fd is negative (errno) or no map.
  static Napi::Value from_fd(Napi::Env env, const char* operation, int fd);

  explicit Map(const Napi::CallbackInfo& info);  // (External<int> fd, operation) or (id) or (path of a pin)
  int fd() const { return fd_->get(); }
  SharedFd shared_fd() const { return fd_; }
  const bpf_map_info& info() const { return info_; }
  // Octets of a row's value: for per-CPU maps one slot of valueSize rounded up to 8 for each possible CPU.
  size_t row_size() const { return row_size_; }

 private:
  Napi::Value properties(const Napi::CallbackInfo& info);
  Napi::Value describe(const Napi::CallbackInfo& info);
  Napi::Value get(const Napi::CallbackInfo& info);           // (key): Uint8Array | null
  void set(const Napi::CallbackInfo& info);                  // (key, value, flags)
  Napi::Value remove(const Napi::CallbackInfo& info);        // (key): boolean
  Napi::Value keys(const Napi::CallbackInfo& info);          // (): Uint8Array, concatenated
  Napi::Value get_batch(const Napi::CallbackInfo& info);     // (limit): {count, keys, values}
  Napi::Value get_slice(const Napi::CallbackInfo& info);     // (position | null, limit): {count, keys, values, next | null}
  void set_batch(const Napi::CallbackInfo& info);            // (keys, values, count)
  Napi::Value delete_batch(const Napi::CallbackInfo& info);  // (keys, count): number
  Napi::Value mmap(const Napi::CallbackInfo& info);          // (): Uint8Array
  void pin(const Napi::CallbackInfo& info);                  // (path)
  void close(const Napi::CallbackInfo& info);

  SharedFd fd_;
  bpf_map_info info_ = {};
  size_t row_size_ = 0;
};

}  // namespace turnout
