#include "btf_types.h"

#include <cstring>

namespace turnout {
namespace {

constexpr const char* kDocPrefix = "doc:";

bool is_data_section(const char* name) {
  for (const char* prefix : {".rodata", ".data", ".bss"}) {
    size_t length = strlen(prefix);
    if (strncmp(name, prefix, length) == 0 && (name[length] == '\0' || name[length] == '.')) return true;
  }
  return false;
}

}  // namespace

BtfTypes::BtfTypes(Napi::Env env, const btf* types) : env_(env), types_(types) {
  for (uint32_t id = 1; id < btf__type_cnt(types_); id++) {
    const btf_type* tag = btf__type_by_id(types_, id);
    if (!btf_is_decl_tag(tag) || strncmp(name(tag), kDocPrefix, strlen(kDocPrefix)) != 0) continue;
    docs_.emplace(std::make_pair(tag->type, btf_decl_tag(tag)->component_idx), name(tag) + strlen(kDocPrefix));
  }
}

Napi::Value BtfTypes::doc(uint32_t id, int member) const {
  auto found = docs_.find({id, member});
  return found == docs_.end() ? env_.Null() : Napi::String::New(env_, found->second);
}

Napi::Value BtfTypes::type(uint32_t id) const {
  const btf_type* type = btf__type_by_id(types_, id);
  while (btf_is_mod(type) || btf_is_type_tag(type)) {
    id = type->type;
    type = btf__type_by_id(types_, id);
  }
  if (id == 0) return env_.Null();
  auto result = Napi::Object::New(env_);
  const char* kind = "other";
  double size = 0;
  switch (btf_kind(type)) {
    case BTF_KIND_INT:
      kind = "int";
      size = type->size;
      result.Set("signed", (btf_int_encoding(type) & BTF_INT_SIGNED) != 0);
      break;
    case BTF_KIND_TYPEDEF:
      result.Set("kind", "typedef");
      result.Set("name", name(type));
      result.Set("type", this->type(type->type));
      return result;
    case BTF_KIND_ENUM:
    case BTF_KIND_ENUM64:
      kind = "enum";
      size = type->size;
      fill_enum(result, type);
      break;
    case BTF_KIND_ARRAY:
      fill_array(result, id, type);
      return result;
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION:
      kind = btf_is_struct(type) ? "struct" : "union";
      size = type->size;
      fill_struct(result, id, type);
      break;
    case BTF_KIND_FLOAT:
      kind = "float";
      size = type->size;
      break;
    case BTF_KIND_PTR:
      kind = "pointer";
      size = btf__pointer_size(types_);
      break;
  }
  result.Set("kind", kind);
  result.Set("name", name(type));
  result.Set("size", size);
  return result;
}

void BtfTypes::fill_array(Napi::Object& result, uint32_t id, const btf_type* type) const {
  result.Set("kind", "array");
  result.Set("length", btf_array(type)->nelems);
  result.Set("element", this->type(btf_array(type)->type));
  result.Set("size", static_cast<double>(btf__resolve_size(types_, id)));
}

void BtfTypes::fill_enum(Napi::Object& result, const btf_type* type) const {
  auto values = Napi::Array::New(env_);
  for (int i = 0; i < btf_vlen(type); i++) {
    auto value = Napi::Object::New(env_);
    if (btf_is_enum64(type)) {
      const struct btf_enum64* entry = btf_enum64(type) + i;
      uint64_t bits = btf_enum64_value(entry);
      value.Set("name", btf__name_by_offset(types_, entry->name_off));
      value.Set("value", btf_kflag(type) ? static_cast<double>(static_cast<int64_t>(bits)) : static_cast<double>(bits));
    } else {
      const struct btf_enum* entry = btf_enum(type) + i;
      value.Set("name", btf__name_by_offset(types_, entry->name_off));
      // kflag: signed. Without it the value is unsigned.
      value.Set("value",
                btf_kflag(type) ? static_cast<double>(entry->val) : static_cast<double>(static_cast<uint32_t>(entry->val)));
    }
    values.Set(i, value);
  }
  result.Set("values", values);
}

void BtfTypes::fill_struct(Napi::Object& result, uint32_t id, const btf_type* type) const {
  auto members = Napi::Array::New(env_);
  for (int i = 0; i < btf_vlen(type); i++) {
    const btf_member* entry = btf_members(type) + i;
    auto member = Napi::Object::New(env_);
    member.Set("name", btf__name_by_offset(types_, entry->name_off));
    member.Set("offset", btf_member_bit_offset(type, i) / 8);
    member.Set("bitfieldBits", btf_member_bitfield_size(type, i));
    member.Set("type", this->type(entry->type));
    member.Set("doc", doc(id, i));
    members.Set(i, member);
  }
  result.Set("members", members);
}

Napi::Array BtfTypes::named_enums() const {
  auto result = Napi::Array::New(env_);
  for (uint32_t id = 1; id < btf__type_cnt(types_); id++) {
    const btf_type* type = btf__type_by_id(types_, id);
    if (btf_is_any_enum(type) && *name(type) != '\0') result.Set(result.Length(), this->type(id));
  }
  return result;
}

Napi::Array BtfTypes::named_structs() const {
  auto result = Napi::Array::New(env_);
  for (uint32_t id = 1; id < btf__type_cnt(types_); id++) {
    const btf_type* type = btf__type_by_id(types_, id);
    if (btf_is_composite(type) && *name(type) != '\0') result.Set(result.Length(), this->type(id));
  }
  return result;
}

Napi::Array BtfTypes::variables() const {
  auto result = Napi::Array::New(env_);
  for (uint32_t id = 1; id < btf__type_cnt(types_); id++) {
    const btf_type* section = btf__type_by_id(types_, id);
    if (!btf_is_datasec(section) || !is_data_section(name(section))) continue;
    for (int i = 0; i < btf_vlen(section); i++) {
      const btf_var_secinfo* entry = btf_var_secinfos(section) + i;
      const btf_type* variable = btf__type_by_id(types_, entry->type);
      if (!btf_is_var(variable)) continue;
      auto described = Napi::Object::New(env_);
      described.Set("name", name(variable));
      described.Set("section", name(section));
      described.Set("offset", entry->offset);
      described.Set("type", this->type(variable->type));
      described.Set("doc", doc(entry->type, -1));
      result.Set(result.Length(), described);
    }
  }
  return result;
}

}  // namespace turnout
