#include "test_run.h"

#include <bpf/bpf.h>

#include <cerrno>

#include "bytes.h"
#include "error.h"

namespace turnout {
namespace {

constexpr size_t kDefaultOutputSize = 2048;

std::vector<uint8_t> copy_of(const Napi::Value& value) {
  ByteSpan bytes = byte_span(value);
  return {bytes.data, bytes.data + bytes.size};
}

class TestRunWorker : public Napi::AsyncWorker {
 public:
  TestRunWorker(Napi::Env env, TestRun run) : Napi::AsyncWorker(env, "turnout.testRun"), run_(std::move(run)), deferred_(env) {}
  Napi::Promise promise() const { return deferred_.Promise(); }
  void Execute() override { error_ = run_.execute(); }
  void OnOK() override {
    if (error_ != 0)
      deferred_.Reject(errno_error(Env(), "program.testRun", error_).Value());
    else
      deferred_.Resolve(run_.result(Env()));
  }

 private:
  TestRun run_;
  Napi::Promise::Deferred deferred_;
  int error_ = 0;
};

}  // namespace

TestRun::TestRun(SharedFd program, uint32_t program_type, Napi::Object input)
    : program_(std::move(program)), is_syscall_(program_type == BPF_PROG_TYPE_SYSCALL) {
  Napi::Value data = input.Get("data");
  has_data_ = data.IsTypedArray();
  data_ = copy_of(data);
  context_ = copy_of(input.Get("context"));
  Napi::Value size = input.Get("outputSize");
  Napi::Value repeat = input.Get("repeat");
  if (has_data_) output_.resize(size.IsNumber() ? size.As<Napi::Number>().Uint32Value() : kDefaultOutputSize);
  if (repeat.IsNumber()) repeat_ = repeat.As<Napi::Number>().Uint32Value();
}

int TestRun::execute() {
  LIBBPF_OPTS(bpf_test_run_opts, options);
  std::vector<uint8_t> context_out(is_syscall_ ? 0 : context_.size());
  options.ctx_in = context_.empty() ? nullptr : context_.data();
  options.ctx_size_in = context_.size();
  if (!is_syscall_) {  // these take and give the context only, in the same memory
    options.ctx_out = context_out.empty() ? nullptr : context_out.data();
    options.ctx_size_out = context_out.size();
    options.data_in = has_data_ ? data_.data() : nullptr;
    options.data_size_in = data_.size();
    options.data_out = output_.empty() ? nullptr : output_.data();
    options.data_size_out = output_.size();
    options.repeat = static_cast<int>(repeat_);
  }
  if (bpf_prog_test_run_opts(program_->get(), &options) != 0) return errno;
  return_value_ = options.retval;
  duration_ns_ = options.duration;
  if (!is_syscall_) {
    context_out.resize(options.ctx_size_out);
    context_ = std::move(context_out);
    output_.resize(options.data_size_out);
  }
  return 0;
}

Napi::Object TestRun::result(Napi::Env env) const {
  auto result = Napi::Object::New(env);
  result.Set("returnValue", return_value_);
  result.Set("data", copy_to_js(env, output_.data(), output_.size()));
  result.Set("context", copy_to_js(env, context_.data(), context_.size()));
  result.Set("durationNs", duration_ns_);
  return result;
}

Napi::Promise queue_test_run(Napi::Env env, TestRun run) {
  auto* worker = new TestRunWorker(env, std::move(run));  // deletes itself when done
  Napi::Promise promise = worker->promise();
  worker->Queue();
  return promise;
}

}  // namespace turnout
