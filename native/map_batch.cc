#include "map_batch.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <cerrno>

namespace turnout {
namespace {

constexpr size_t kChunkRows = 512;
constexpr int kErrnoNotSupported = 524;  // the kernel's own: no batch call for this map type

bool has_no_batch_call(int error) { return error == kErrnoNotSupported || error == EOPNOTSUPP || error == EINVAL; }

// Row by row; a row that vanishes in between is left out.
int lookup_rows_singly(const BatchMap& map, size_t limit, BatchRows* rows) {
  std::vector<uint8_t> keys;
  int error = all_keys(map, &keys);
  if (error != 0) return error;
  std::vector<uint8_t> value(map.row_size);
  for (const uint8_t* key = keys.data(); key < keys.data() + keys.size() && rows->count < limit; key += map.key_size) {
    if (bpf_map_lookup_elem(map.fd, key, value.data()) != 0) {
      if (errno == ENOENT) continue;
      return errno;
    }
    rows->keys.insert(rows->keys.end(), key, key + map.key_size);
    rows->values.insert(rows->values.end(), value.begin(), value.end());
    rows->count++;
  }
  return 0;
}

}  // namespace

int all_keys(const BatchMap& map, std::vector<uint8_t>* keys) {
  std::vector<uint8_t> key(map.key_size);
  const uint8_t* previous = nullptr;
  while (bpf_map_get_next_key(map.fd, previous, key.data()) == 0) {
    keys->insert(keys->end(), key.begin(), key.end());
    previous = keys->data() + keys->size() - map.key_size;
  }
  return errno == ENOENT ? 0 : errno;
}

int lookup_rows(const BatchMap& map, size_t limit, BatchRows* rows) {
  // The position between calls: a bucket number for hashes, a key elsewhere.
  std::vector<uint8_t> position(std::max(map.key_size, sizeof(uint32_t)));
  std::vector<uint8_t> next(position.size());
  size_t chunk = std::min(kChunkRows, limit);
  bool first = true;
  while (rows->count < limit) {
    rows->keys.resize((rows->count + chunk) * map.key_size);
    rows->values.resize((rows->count + chunk) * map.row_size);
    uint32_t got = chunk;
    int error = 0;
    if (bpf_map_lookup_batch(map.fd, first ? nullptr : position.data(), next.data(),
                             rows->keys.data() + rows->count * map.key_size, rows->values.data() + rows->count * map.row_size,
                             &got, nullptr) != 0) {
      error = errno;
    }
    if (error == ENOSPC) {  // one bucket holds more rows than fit: same place again, with more room
      chunk *= 2;
      continue;
    }
    if (error == EINTR || error == EAGAIN) continue;  // the map changed under the call
    if (first && has_no_batch_call(error)) {
      *rows = {};
      return lookup_rows_singly(map, limit, rows);
    }
    if (error != 0 && error != ENOENT) return error;
    rows->count += got;
    if (error == ENOENT) break;  // that was the end
    first = false;
    position.swap(next);
  }
  rows->count = std::min(rows->count, limit);
  rows->keys.resize(rows->count * map.key_size);
  rows->values.resize(rows->count * map.row_size);
  return 0;
}

int lookup_slice(const BatchMap& map, size_t limit, std::vector<uint8_t>* position, BatchRows* rows) {
  std::vector<uint8_t> next(std::max(map.key_size, sizeof(uint32_t)));
  bool first = position->empty();
  for (size_t room = limit;;) {
    rows->keys.resize(room * map.key_size);
    rows->values.resize(room * map.row_size);
    uint32_t got = room;
    int error = bpf_map_lookup_batch(map.fd, first ? nullptr : position->data(), next.data(), rows->keys.data(),
                                     rows->values.data(), &got, nullptr) == 0
                    ? 0
                    : errno;
    if (error == ENOSPC) {  // one bucket holds more rows than fit
      room *= 2;
      continue;
    }
    if (error == EINTR || error == EAGAIN) continue;
    position->clear();
    if (first && has_no_batch_call(error)) {
      *rows = {};
      return lookup_rows_singly(map, SIZE_MAX, rows);
    }
    if (error != 0 && error != ENOENT) return error;
    if (error == 0) *position = std::move(next);
    rows->count = got;
    rows->keys.resize(got * map.key_size);
    rows->values.resize(got * map.row_size);
    return 0;
  }
}

int update_rows(const BatchMap& map, const uint8_t* keys, const uint8_t* values, size_t count, size_t* done) {
  bool singly = false;
  for (*done = 0; *done < count;) {
    const uint8_t* key = keys + *done * map.key_size;
    const uint8_t* value = values + *done * map.row_size;
    uint32_t rows = singly ? 1 : std::min(kChunkRows, count - *done);
    int error = 0;
    if (singly)
      error = bpf_map_update_elem(map.fd, key, value, BPF_ANY) == 0 ? 0 : errno;
    else
      error = bpf_map_update_batch(map.fd, key, value, &rows, nullptr) == 0 ? 0 : errno;
    if (!singly && has_no_batch_call(error)) {
      singly = true;  // written rows are only written again
      continue;
    }
    if (error != 0) {
      if (!singly) *done += rows;
      return error;
    }
    *done += rows;
  }
  return 0;
}

int delete_rows(const BatchMap& map, const uint8_t* keys, size_t count, size_t* deleted) {
  bool singly = false;
  *deleted = 0;
  for (size_t at = 0; at < count;) {
    const uint8_t* key = keys + at * map.key_size;
    uint32_t rows = singly ? 1 : std::min(kChunkRows, count - at);
    int error = 0;
    if (singly)
      error = bpf_map_delete_elem(map.fd, key) == 0 ? 0 : errno;
    else
      error = bpf_map_delete_batch(map.fd, key, &rows, nullptr) == 0 ? 0 : errno;
    if (!singly && has_no_batch_call(error)) {
      singly = true;
      continue;
    }
    if (error == 0) {
      *deleted += rows;
      at += rows;
    } else if (error == ENOENT) {  // the batch call stops at the first missing row and says how far it came
      size_t before = singly ? 0 : rows;
      *deleted += before;
      at += before + 1;
    } else {
      return error;
    }
  }
  return 0;
}

}  // namespace turnout
