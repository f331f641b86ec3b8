#include "layout.h"

#include <cerrno>
#include <memory>

#include "btf_types.h"
#include "error.h"

namespace turnout {
namespace {

Napi::Object describe_object_map(Napi::Env env, const bpf_map* map, const BtfTypes* types) {
  auto result = Napi::Object::New(env);
  result.Set("name", bpf_map__name(map));
  result.Set("type", static_cast<int>(bpf_map__type(map)));
  result.Set("keySize", bpf_map__key_size(map));
  result.Set("valueSize", bpf_map__value_size(map));
  result.Set("maxEntries", bpf_map__max_entries(map));
  result.Set("flags", bpf_map__map_flags(map));
  result.Set("key", types == nullptr ? env.Null() : types->type(bpf_map__btf_key_type_id(map)));
  result.Set("value", types == nullptr ? env.Null() : types->type(bpf_map__btf_value_type_id(map)));
  return result;
}

Napi::Object describe_program(Napi::Env env, const bpf_program* program) {
  auto result = Napi::Object::New(env);
  result.Set("name", bpf_program__name(program));
  result.Set("section", bpf_program__section_name(program));
  result.Set("type", static_cast<int>(bpf_program__type(program)));
  result.Set("expectedAttachType", static_cast<int>(bpf_program__expected_attach_type(program)));
  return result;
}

}  // namespace

Napi::Object describe_object(Napi::Env env, const bpf_object* object) {
  std::unique_ptr<BtfTypes> types;
  if (bpf_object__btf(object) != nullptr) types = std::make_unique<BtfTypes>(env, bpf_object__btf(object));

  auto maps = Napi::Array::New(env);
  const bpf_map* map;
  bpf_object__for_each_map(map, object) {
    // libbpf makes maps of .rodata and its like; they are described as variables.
    if (!bpf_map__is_internal(map)) maps.Set(maps.Length(), describe_object_map(env, map, types.get()));
  }
  auto programs = Napi::Array::New(env);
  bpf_program* program;
  bpf_object__for_each_program(program, object) programs.Set(programs.Length(), describe_program(env, program));

  auto result = Napi::Object::New(env);
  result.Set("maps", maps);
  result.Set("variables", types ? types->variables() : Napi::Array::New(env));
  result.Set("programs", programs);
  result.Set("enums", types ? types->named_enums() : Napi::Array::New(env));
  result.Set("structs", types ? types->named_structs() : Napi::Array::New(env));
  return result;
}

Napi::Object describe_map(Napi::Env env, const bpf_map_info& info) {
  auto result = Napi::Object::New(env);
  result.Set("name", info.name);
  result.Set("type", info.type);
  result.Set("keySize", info.key_size);
  result.Set("valueSize", info.value_size);
  result.Set("maxEntries", info.max_entries);
  result.Set("flags", info.map_flags);
  result.Set("key", env.Null());
  result.Set("value", env.Null());
  if (info.btf_id == 0) return result;

  LogCapture log;
  std::unique_ptr<btf, decltype(&btf__free)> kernel(btf__load_from_kernel_by_id(info.btf_id), btf__free);
  if (kernel == nullptr) throw errno_error(env, "map.describe", errno, log.text());
  BtfTypes types(env, kernel.get());
  result.Set("key", types.type(info.btf_key_type_id));
  result.Set("value", types.type(info.btf_value_type_id));
  return result;
}

}  // namespace turnout
