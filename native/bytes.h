// Octets in and out of JavaScript.
#pragma once

#include <napi.h>

#include <cstdint>
#include <cstring>
#include <vector>

namespace turnout {

struct ByteSpan {
  uint8_t* data;
  size_t size;
};

// A view of the caller's bytes; valid during the call only. {nullptr, 0} for undefined.
inline ByteSpan byte_span(const Napi::Value& value) {
  if (!value.IsTypedArray()) return {nullptr, 0};
  auto array = value.As<Napi::Uint8Array>();
  return {array.Data(), array.ByteLength()};
}

inline Napi::Uint8Array copy_to_js(Napi::Env env, const void* data, size_t size) {
  auto array = Napi::Uint8Array::New(env, size);
  if (size > 0) memcpy(array.Data(), data, size);
  return array;
}

// Hands the vector itself over; for results that may be many megabytes.
inline Napi::Uint8Array move_to_js(Napi::Env env, std::vector<uint8_t>&& bytes) {
  if (bytes.empty()) return Napi::Uint8Array::New(env, 0);
  auto* kept = new std::vector<uint8_t>(std::move(bytes));
  auto buffer = Napi::ArrayBuffer::New(
      env, kept->data(), kept->size(), [](Napi::Env, void*, std::vector<uint8_t>* hint) { delete hint; }, kept);
  return Napi::Uint8Array::New(env, kept->size(), buffer, 0);
}

}  // namespace turnout
