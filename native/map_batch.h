// Whole maps and many rows at once, in chunks, with one call a row where the kernel has no batch call for the map's type.
// All return 0 or a positive errno.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace turnout {

struct BatchMap {
  int fd;
  uint32_t type;
  size_t key_size;
  size_t row_size;  // octets of a value as the kernel copies it
};

struct BatchRows {
  size_t count = 0;
  std::vector<uint8_t> keys;
  std::vector<uint8_t> values;
};

int all_keys(const BatchMap& map, std::vector<uint8_t>* keys);
int lookup_rows(const BatchMap& map, size_t limit, BatchRows* rows);
// A part of the map: about `limit` rows from `position` on (empty: from the start), which moves on; empty again: that was the
// end.
int lookup_slice(const BatchMap& map, size_t limit, std::vector<uint8_t>* position, BatchRows* rows);
// done: rows written, also on failure.
int update_rows(const BatchMap& map, const uint8_t* keys, const uint8_t* values, size_t count, size_t* done);
// deleted: rows that existed; missing ones are passed over.
int delete_rows(const BatchMap& map, const uint8_t* keys, size_t count, size_t* deleted);

}  // namespace turnout
