#include "object.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "bytes.h"
#include "error.h"
#include "layout.h"
#include "map.h"
#include "program.h"

namespace turnout {
namespace {

// Loads off the main thread: the verifier may take its time.
class LoadWorker : public Napi::AsyncWorker {
 public:
  LoadWorker(Napi::Env env, std::shared_ptr<bpf_object> object)
      : Napi::AsyncWorker(env, "turnout.load"), object_(std::move(object)), deferred_(env) {}
  Napi::Promise promise() const { return deferred_.Promise(); }

  void Execute() override {
    LogCapture log;
    int error = bpf_object__load(object_.get());
    if (error == 0) return;
    failed_ = true;
    failure_ = errno_failure("object.load", error, log.text());
  }
  void OnOK() override {
    object_.reset();  // here, not in the destructor: the promise's handlers may look at open descriptors
    if (failed_)
      deferred_.Reject(to_js(Env(), failure_).Value());
    else
      deferred_.Resolve(Env().Undefined());
  }

 private:
  std::shared_ptr<bpf_object> object_;
  Napi::Promise::Deferred deferred_;
  bool failed_ = false;
  Failure failure_;
};

struct Variable {
  bpf_map* map = nullptr;
  uint32_t offset = 0;
  uint32_t size = 0;
};

// A global variable by its name in BTF: the section's map and the place in it.
Variable find_variable(bpf_object* object, const std::string& wanted) {
  const btf* types = bpf_object__btf(object);
  for (uint32_t id = 1; types != nullptr && id < btf__type_cnt(types); id++) {
    const btf_type* section = btf__type_by_id(types, id);
    if (!btf_is_datasec(section)) continue;
    const btf_var_secinfo* entry = btf_var_secinfos(section);
    for (int i = 0; i < btf_vlen(section); i++, entry++) {
      const btf_type* variable = btf__type_by_id(types, entry->type);
      if (!btf_is_var(variable) || wanted != btf__name_by_offset(types, variable->name_off)) continue;
      const char* name = btf__name_by_offset(types, section->name_off);
      bpf_map* map = bpf_object__find_map_by_name(object, name);
      if (map == nullptr || !bpf_map__is_internal(map)) continue;  // ".maps", "license" are sections too
      return {map, entry->offset, entry->size};
    }
  }
  return {};
}

}  // namespace

void Object::init(Napi::Env env, Napi::Object exports) {
  exports.Set("Object", DefineClass(env, "Object",
                                    {
                                        InstanceMethod("describe", &Object::describe),
                                        InstanceMethod("setVariable", &Object::set_variable),
                                        InstanceMethod("setMaxEntries", &Object::set_max_entries),
                                        InstanceMethod("reuseMap", &Object::reuse_map),
                                        InstanceMethod("setAutoload", &Object::set_autoload),
                                        InstanceMethod("load", &Object::load),
                                        InstanceMethod("map", &Object::map),
                                        InstanceMethod("program", &Object::program),
                                        InstanceMethod("close", &Object::close),
                                    }));
}

Object::Object(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Object>(info) {
  std::string path = info[0].As<Napi::String>();
  LogCapture log;
  bpf_object* object = bpf_object__open_file(path.c_str(), nullptr);
  if (object == nullptr) throw errno_error(info.Env(), "object.open", errno, log.text());
  object_.reset(object, bpf_object__close);
}

Napi::Value Object::describe(const Napi::CallbackInfo& info) { return describe_object(info.Env(), object_.get()); }

void Object::set_variable(const Napi::CallbackInfo& info) {
  auto env = info.Env();
  ByteSpan bytes = byte_span(info[1]);
  Variable variable = find_variable(object_.get(), info[0].As<Napi::String>());
  std::string name = info[0].As<Napi::String>();
  if (variable.map == nullptr) throw to_js(env, {"ENOENT", "object.setVariable", "the object has no variable " + name, ""});
  if (variable.size != bytes.size) {
    throw to_js(env, {"EVALUESIZE", "object.setVariable",
                      "the variable has " + std::to_string(variable.size) + " octets, got " + std::to_string(bytes.size), ""});
  }
  size_t room = 0;
  auto* section = static_cast<uint8_t*>(bpf_map__initial_value(variable.map, &room));
  assert_that(env, section != nullptr && variable.offset + bytes.size <= room, "the variable lies in its section");
  memcpy(section + variable.offset, bytes.data, bytes.size);
}

void Object::set_max_entries(const Napi::CallbackInfo& info) {
  bpf_map* map = find_map(info.Env(), "object.setMaxEntries", info[0]);
  int error = bpf_map__set_max_entries(map, info[1].As<Napi::Number>().Uint32Value());
  if (error != 0) throw errno_error(info.Env(), "object.setMaxEntries", error);
}

void Object::reuse_map(const Napi::CallbackInfo& info) {
  auto env = info.Env();
  bpf_map* map = find_map(env, "object.reuseMap", info[0]);
  Map* pinned = Map::Unwrap(info[1].As<Napi::Object>());
  const bpf_map_info& has = pinned->info();
  // libbpf would take over the other map's shape without a word, and the verifier would complain far away from here.
  if (has.type != bpf_map__type(map) || has.key_size != bpf_map__key_size(map) || has.value_size != bpf_map__value_size(map)) {
    throw to_js(env,
                {"EMAPMISMATCH", "object.reuseMap",
                 "the map to reuse has type " + std::to_string(has.type) + ", key " + std::to_string(has.key_size) + ", value " +
                     std::to_string(has.value_size) + "; the object wants type " + std::to_string(bpf_map__type(map)) + ", key " +
                     std::to_string(bpf_map__key_size(map)) + ", value " + std::to_string(bpf_map__value_size(map)),
                 ""});
  }
  LogCapture log;
  int error = bpf_map__reuse_fd(map, pinned->fd());
  if (error != 0) throw errno_error(env, "object.reuseMap", error, log.text());
}

void Object::set_autoload(const Napi::CallbackInfo& info) {
  bpf_program* program = find_program(info.Env(), "object.setAutoload", info[0]);
  int error = bpf_program__set_autoload(program, info[1].As<Napi::Boolean>());
  if (error != 0) throw errno_error(info.Env(), "object.setAutoload", error);
}

Napi::Value Object::load(const Napi::CallbackInfo& info) {
  auto* worker = new LoadWorker(info.Env(), object_);  // deletes itself when done
  Napi::Promise promise = worker->promise();
  worker->Queue();
  return promise;
}

Napi::Value Object::map(const Napi::CallbackInfo& info) {
  bpf_map* map = find_map(info.Env(), "object.map", info[0]);
  return Map::from_fd(info.Env(), "object.map", duplicate(bpf_map__fd(map)));
}

Napi::Value Object::program(const Napi::CallbackInfo& info) {
  auto env = info.Env();
  bpf_program* program = find_program(env, "object.program", info[0]);
  if (bpf_program__fd(program) < 0) {
    throw to_js(env, {"ENOTLOADED", "object.program", "the program was not loaded: setAutoload(name, false)", ""});
  }
  return Program::from_fd(env, "object.program", duplicate(bpf_program__fd(program)), bpf_program__name(program),
                          bpf_program__expected_attach_type(program));
}

void Object::close(const Napi::CallbackInfo& info) { object_.reset(); }

bpf_map* Object::find_map(Napi::Env env, const char* operation, const Napi::Value& name) {
  std::string wanted = name.As<Napi::String>();
  bpf_map* map = bpf_object__find_map_by_name(object_.get(), wanted.c_str());
  if (map == nullptr) throw to_js(env, {"ENOENT", operation, "the object has no map " + wanted, ""});
  return map;
}

bpf_program* Object::find_program(Napi::Env env, const char* operation, const Napi::Value& name) {
  std::string wanted = name.As<Napi::String>();
  bpf_program* program = bpf_object__find_program_by_name(object_.get(), wanted.c_str());
  if (program == nullptr) throw to_js(env, {"ENOENT", operation, "the object has no program " + wanted, ""});
  return program;
}

}  // namespace turnout
