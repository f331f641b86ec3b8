// Reader of a BPF_MAP_TYPE_RINGBUF map.
#pragma once

#include <bpf/libbpf.h>
#include <napi.h>

#include <memory>
#include <vector>

#include "fd.h"
#include "watcher.h"

namespace turnout {

class RingBuffer : public Napi::ObjectWrap<RingBuffer> {
 public:
  static void init(Napi::Env env, Napi::Object exports);
  explicit RingBuffer(const Napi::CallbackInfo& info);  // (Map, (records: Uint8Array[]) => void)

 private:
  static int on_record(void* self, void* data, size_t size);
  void drain(Napi::Env env);
  void close(const Napi::CallbackInfo& info);

  SharedFd map_;
  std::unique_ptr<ring_buffer, void (*)(ring_buffer*)> ring_{nullptr, ring_buffer__free};
  std::vector<std::vector<uint8_t>> records_;
  Napi::FunctionReference callback_;
  std::unique_ptr<Watcher> watcher_;
};

}  // namespace turnout
