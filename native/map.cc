#include "map.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "bytes.h"
#include "error.h"
#include "instance.h"
#include "layout.h"
#include "map_batch.h"
#include "pin.h"

namespace turnout {
namespace {

bool is_per_cpu(uint32_t type) {
  return type == BPF_MAP_TYPE_PERCPU_HASH || type == BPF_MAP_TYPE_PERCPU_ARRAY || type == BPF_MAP_TYPE_LRU_PERCPU_HASH ||
         type == BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE;
}

size_t round_up_8(size_t size) { return (size + 7) & ~size_t{7}; }

}  // namespace

void Map::init(Napi::Env env, Napi::Object exports) {
  Napi::Function constructor = DefineClass(env, "Map",
                                           {
                                               InstanceMethod("properties", &Map::properties),
                                               InstanceMethod("describe", &Map::describe),
                                               InstanceMethod("get", &Map::get),
                                               InstanceMethod("set", &Map::set),
                                               InstanceMethod("delete", &Map::remove),
                                               InstanceMethod("keys", &Map::keys),
                                               InstanceMethod("getBatch", &Map::get_batch),
                                               InstanceMethod("getSlice", &Map::get_slice),
                                               InstanceMethod("setBatch", &Map::set_batch),
                                               InstanceMethod("deleteBatch", &Map::delete_batch),
                                               InstanceMethod("mmap", &Map::mmap),
                                               InstanceMethod("pin", &Map::pin),
                                               InstanceMethod("close", &Map::close),
                                           });
  instance(env).map = Napi::Persistent(constructor);
  exports.Set("Map", constructor);
}

Napi::Value Map::from_fd(Napi::Env env, const char* operation, int fd) {
  if (fd < 0) throw errno_error(env, operation, errno);
  return instance(env).map.New({Napi::External<void>::New(env, nullptr), Napi::Number::New(env, fd)});
}

Map::Map(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Map>(info) {
  auto env = info.Env();
  if (info[0].IsExternal()) {
    fd_ = share(info[1].As<Napi::Number>().Int32Value());
  } else if (info[0].IsNumber()) {
    int by_id = bpf_map_get_fd_by_id(info[0].As<Napi::Number>().Uint32Value());
    if (by_id < 0) throw errno_error(env, "map.openById", errno);
    fd_ = share(by_id);
  } else {
    fd_ = open_pin(env, "map.openPinned", info[0].As<Napi::String>(), HandleKind::kMap);
  }
  uint32_t length = sizeof info_;
  if (bpf_map_get_info_by_fd(fd(), &info_, &length) != 0) throw errno_error(env, "map.info", errno);
  row_size_ = info_.value_size;
  if (is_per_cpu(info_.type)) row_size_ = round_up_8(info_.value_size) * libbpf_num_possible_cpus();
}

Napi::Value Map::properties(const Napi::CallbackInfo& info) {
  auto properties = Napi::Object::New(info.Env());
  properties.Set("id", info_.id);
  properties.Set("name", info_.name);
  properties.Set("type", info_.type);
  properties.Set("keySize", info_.key_size);
  properties.Set("valueSize", info_.value_size);
  properties.Set("rowSize", static_cast<double>(row_size_));
  properties.Set("maxEntries", info_.max_entries);
  properties.Set("flags", info_.map_flags);
  properties.Set("isPerCpu", is_per_cpu(info_.type));
  return properties;
}

Napi::Value Map::describe(const Napi::CallbackInfo& info) { return describe_map(info.Env(), info_); }

Napi::Value Map::get(const Napi::CallbackInfo& info) {
  auto env = info.Env();
  ByteSpan key = byte_span(info[0]);
  assert_that(env, key.size == info_.key_size, "map.get: key size");
  auto value = Napi::Uint8Array::New(env, row_size_);
  if (bpf_map_lookup_elem(fd(), key.data, value.Data()) == 0) return value;
  if (errno == ENOENT) return env.Null();
  throw errno_error(env, "map.get", errno);
}

void Map::set(const Napi::CallbackInfo& info) {
  auto env = info.Env();
  ByteSpan key = byte_span(info[0]);
  ByteSpan value = byte_span(info[1]);
  assert_that(env, key.size == info_.key_size && value.size == row_size_, "map.set: sizes");
  uint64_t flags = info[2].As<Napi::Number>().Uint32Value();
  if (bpf_map_update_elem(fd(), key.data, value.data, flags) != 0) throw errno_error(env, "map.set", errno);
}

Napi::Value Map::remove(const Napi::CallbackInfo& info) {
  auto env = info.Env();
  ByteSpan key = byte_span(info[0]);
  assert_that(env, key.size == info_.key_size, "map.delete: key size");
  if (bpf_map_delete_elem(fd(), key.data) == 0) return Napi::Boolean::New(env, true);
  if (errno == ENOENT) return Napi::Boolean::New(env, false);
  throw errno_error(env, "map.delete", errno);
}

Napi::Value Map::keys(const Napi::CallbackInfo& info) {
  std::vector<uint8_t> keys;
  int error = all_keys({fd(), info_.type, info_.key_size, row_size_}, &keys);
  if (error != 0) throw errno_error(info.Env(), "map.keys", error);
  return move_to_js(info.Env(), std::move(keys));
}

Napi::Value Map::get_batch(const Napi::CallbackInfo& info) {
  auto env = info.Env();
  BatchRows rows;
  int error = lookup_rows({fd(), info_.type, info_.key_size, row_size_}, info[0].As<Napi::Number>().Uint32Value(), &rows);
  if (error != 0) throw errno_error(env, "map.getBatch", error);
  auto result = Napi::Object::New(env);
  result.Set("count", static_cast<double>(rows.count));
  result.Set("keys", move_to_js(env, std::move(rows.keys)));
  result.Set("values", move_to_js(env, std::move(rows.values)));
  return result;
}

Napi::Value Map::get_slice(const Napi::CallbackInfo& info) {
  auto env = info.Env();
  std::vector<uint8_t> position;
  if (!info[0].IsNull()) {
    ByteSpan from = byte_span(info[0]);
    assert_that(env, from.size == std::max<size_t>(info_.key_size, sizeof(uint32_t)), "map.getSlice: position size");
    position.assign(from.data, from.data + from.size);
  }
  BatchRows rows;
  int error =
      lookup_slice({fd(), info_.type, info_.key_size, row_size_}, info[1].As<Napi::Number>().Uint32Value(), &position, &rows);
  if (error != 0) throw errno_error(env, "map.getSlice", error);
  auto result = Napi::Object::New(env);
  result.Set("count", static_cast<double>(rows.count));
  result.Set("keys", move_to_js(env, std::move(rows.keys)));
  result.Set("values", move_to_js(env, std::move(rows.values)));
  result.Set("next", position.empty() ? env.Null() : Napi::Value(move_to_js(env, std::move(position))));
  return result;
}

void Map::set_batch(const Napi::CallbackInfo& info) {
  auto env = info.Env();
  ByteSpan keys = byte_span(info[0]);
  ByteSpan values = byte_span(info[1]);
  size_t count = info[2].As<Napi::Number>().Uint32Value();
  assert_that(env, keys.size == count * info_.key_size && values.size == count * row_size_, "map.setBatch: sizes");
  size_t done = 0;
  int error = update_rows({fd(), info_.type, info_.key_size, row_size_}, keys.data, values.data, count, &done);
  if (error != 0) {
    throw errno_error(env, "map.setBatch", error,
                      "row " + std::to_string(done) + " of " + std::to_string(count) + "; the rows before it were written");
  }
}

Napi::Value Map::delete_batch(const Napi::CallbackInfo& info) {
  auto env = info.Env();
  ByteSpan keys = byte_span(info[0]);
  size_t count = info[1].As<Napi::Number>().Uint32Value();
  assert_that(env, keys.size == count * info_.key_size, "map.deleteBatch: sizes");
  size_t deleted = 0;
  int error = delete_rows({fd(), info_.type, info_.key_size, row_size_}, keys.data, count, &deleted);
  if (error != 0) throw errno_error(env, "map.deleteBatch", error);
  return Napi::Number::New(env, static_cast<double>(deleted));
}

Napi::Value Map::mmap(const Napi::CallbackInfo& info) {
  auto env = info.Env();
  size_t size = round_up_8(info_.value_size) * info_.max_entries;
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd(), 0);
  if (memory == MAP_FAILED) throw errno_error(env, "map.mmap", errno);
  // Unmapped by the garbage collector, so a view outlives close() and can never dangle.
  auto unmap = [](Napi::Env, void* start, void* hint) { munmap(start, reinterpret_cast<size_t>(hint)); };
  auto buffer = Napi::ArrayBuffer::New(env, memory, size, unmap, reinterpret_cast<void*>(size));
  return Napi::Uint8Array::New(env, size, buffer, 0);
}

void Map::pin(const Napi::CallbackInfo& info) { create_pin(info.Env(), "map.pin", fd(), info[0].As<Napi::String>()); }

void Map::close(const Napi::CallbackInfo& info) { fd_ = std::make_shared<const Fd>(); }

}  // namespace turnout
