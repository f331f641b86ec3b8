// BTF types as the BtfType values of src/native/addon.ts. Knows nothing of objects and maps.
#pragma once

#include <bpf/btf.h>
#include <napi.h>

#include <map>
#include <string>
#include <utility>

namespace turnout {

class BtfTypes {
 public:
  BtfTypes(Napi::Env env, const btf* types);

  // null for id 0 (void). const, volatile, restrict and type tags are looked through.
  Napi::Value type(uint32_t id) const;
  // The text after "doc:" of a btf_decl_tag on a member, or (member -1) on a variable or type; else null.
  Napi::Value doc(uint32_t id, int member) const;
  const char* name(const btf_type* type) const { return btf__name_by_offset(types_, type->name_off); }

  Napi::Array named_enums() const;
  Napi::Array named_structs() const;
  Napi::Array variables() const;  // of .rodata, .data, .bss and their like

 private:
  void fill_struct(Napi::Object& result, uint32_t id, const btf_type* type) const;
  void fill_enum(Napi::Object& result, const btf_type* type) const;
  void fill_array(Napi::Object& result, uint32_t id, const btf_type* type) const;

  Napi::Env env_;
  const btf* types_;
  std::map<std::pair<uint32_t, int>, std::string> docs_;
};

}  // namespace turnout
