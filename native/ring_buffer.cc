#include "ring_buffer.h"

#include <cerrno>

#include "bytes.h"
#include "error.h"
#include "map.h"

namespace turnout {
namespace {

constexpr size_t kRecordsPerTurn = 1024;  // then the event loop gets its turn

}  // namespace

void RingBuffer::init(Napi::Env env, Napi::Object exports) {
  exports.Set("RingBuffer", DefineClass(env, "RingBuffer", {InstanceMethod("close", &RingBuffer::close)}));
}

RingBuffer::RingBuffer(const Napi::CallbackInfo& info) : Napi::ObjectWrap<RingBuffer>(info) {
  auto env = info.Env();
  map_ = Map::Unwrap(info[0].As<Napi::Object>())->shared_fd();
  callback_ = Napi::Persistent(info[1].As<Napi::Function>());
  LogCapture log;
  ring_.reset(ring_buffer__new(map_->get(), on_record, this, nullptr));
  if (ring_ == nullptr) throw errno_error(env, "ringBuffer.open", errno, log.text());
  watcher_ = std::make_unique<Watcher>(env, "turnout.ringBuffer", ring_buffer__epoll_fd(ring_.get()),
                                       [this](Napi::Env on) { drain(on); });
  Ref();  // until close(): a reader that nobody holds still reads
}

int RingBuffer::on_record(void* self, void* data, size_t size) {
  auto* bytes = static_cast<uint8_t*>(data);
  static_cast<RingBuffer*>(self)->records_.emplace_back(bytes, bytes + size);
  return 0;
}

void RingBuffer::drain(Napi::Env env) {
  Napi::HandleScope scope(env);
  records_.clear();
  int count = ring_buffer__consume_n(ring_.get(), kRecordsPerTurn);
  if (count < 0) throw errno_error(env, "ringBuffer.read", count);
  if (records_.empty()) return;
  auto records = Napi::Array::New(env, records_.size());
  for (uint32_t i = 0; i < records_.size(); i++) records.Set(i, copy_to_js(env, records_[i].data(), records_[i].size()));
  callback_.Call({records});
}

void RingBuffer::close(const Napi::CallbackInfo& info) {
  if (watcher_ == nullptr) return;
  watcher_.reset();
  ring_.reset();
  map_.reset();
  callback_.Reset();
  Unref();
}

}  // namespace turnout
