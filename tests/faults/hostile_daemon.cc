// A daemon that answers every call of TrainingService with hostile text wherever a reply holds
// text.
//
//   hostile_daemon SOCKET STRINGS fill|refuse
//
// STRINGS holds strings, each after its length as four bytes, little-endian; the next one is taken
// for each field, round and round. "refuse" answers with an error whose message is the next string.
// Says "listening" once it is, and runs until it is killed.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "traind/v1/training.pb.h"

namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::MessageFactory;
using google::protobuf::MethodDescriptor;
using google::protobuf::Reflection;

constexpr int kRepeats = 12;                        // entries of a repeated field
constexpr int kStreamed = 60;                       // messages of a stream
constexpr std::int64_t kMicros = 1795270329250000;  // in 2026

class Strings {
 public:
  explicit Strings(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    for (std::size_t at = 0; at + 4 <= bytes.size();) {
      std::uint32_t size = 0;
      std::memcpy(&size, bytes.data() + at, sizeof size);
      strings_.push_back(bytes.substr(at + 4, size));
      at += 4 + size;
    }
  }
  const std::string& next() { return strings_[next_++ % strings_.size()]; }

 private:
  std::vector<std::string> strings_;
  std::atomic<std::size_t> next_{0};
};

// Fills messages; `turn` chooses among the alternatives of a oneof, and grows the numbers.
class Filler {
 public:
  Filler(Strings& strings, int turn) : strings_(strings), turn_(turn) {}

  void fill(Message& message) {
    const Descriptor& type = *message.GetDescriptor();
    for (int i = 0; i < type.field_count(); ++i) {
      const FieldDescriptor& field = *type.field(i);
      if (field.is_repeated()) {
        for (int n = 0; n < repeats(field); ++n) set(message, field);
      } else if (chosen(field)) {
        set(message, field);
      }
    }
  }

  int entries = kRepeats;  // of "lines" and "results", one for each line asked

 private:
  int repeats(const FieldDescriptor& field) const {
    return field.name() == "lines" || field.name() == "results" ? entries : kRepeats;
  }

  bool chosen(const FieldDescriptor& field) const {
    const auto* choice = field.real_containing_oneof();
    // A page after this one would never end.
    if (choice == nullptr) return field.name() != "next_page_token" && field.name() != "more";
    return choice->field(turn_ % choice->field_count()) == &field;
  }

  void set(Message& message, const FieldDescriptor& field) {
    const Reflection& at = *message.GetReflection();
    const bool many = field.is_repeated();
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        return many ? at.AddString(&message, &field, strings_.next())
                    : at.SetString(&message, &field, strings_.next());
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return fill(many ? *at.AddMessage(&message, &field) : *at.MutableMessage(&message, &field));
      case FieldDescriptor::CPPTYPE_BOOL:
        return at.SetBool(&message, &field, true);
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return at.SetDouble(&message, &field, 0.5 + turn_);
      case FieldDescriptor::CPPTYPE_INT32:
        return at.SetInt32(&message, &field, turn_ + 1);
      case FieldDescriptor::CPPTYPE_INT64:
        return at.SetInt64(&message, &field, number(field));
      case FieldDescriptor::CPPTYPE_ENUM:
        // Of a run's states the last is an end, so that `watch` and `wait` come to one.
        return at.SetEnumValue(&message, &field,
                               field.enum_type()->value_count() - 1 - (field.name() != "state"));
      default:
        return;
    }
  }

  std::int64_t number(const FieldDescriptor& field) const {
    return field.name().ends_with("micros") ? kMicros : turn_ + 1;
  }

  Strings& strings_;
  const int turn_;
};

const MethodDescriptor* method_of(const std::string& path) {
  const auto* service = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
      "traind.v1.TrainingService");
  return service->FindMethodByName(path.substr(path.rfind('/') + 1));
}

std::unique_ptr<Message> empty(const Descriptor* type) {
  return std::unique_ptr<Message>(MessageFactory::generated_factory()->GetPrototype(type)->New());
}

class Call : public grpc::ServerGenericBidiReactor {
 public:
  Call(const std::string& path, Strings& strings, bool refuses)
      : method_(method_of(path)), strings_(strings), refuses_(refuses) {
    StartRead(&request_);
  }

  void OnReadDone(bool read) override {
    if (!read || method_ == nullptr) return Finish({grpc::StatusCode::UNIMPLEMENTED, "what?"});
    if (refuses_) {
      // Each of gRPC's codes in turn.
      static std::atomic<int> code{0};
      return Finish({static_cast<grpc::StatusCode>(1 + code++ % 16), strings_.next()});
    }
    left_ = method_->server_streaming() ? kStreamed : 1;
    write();
  }
  void OnWriteDone(bool written) override {
    if (!written || left_ == 0) return Finish(grpc::Status::OK);
    write();
  }
  void OnDone() override { delete this; }

 private:
  void write() {
    const auto reply = empty(method_->output_type());
    Filler filler(strings_, kStreamed - left_);
    filler.entries = lines_asked();
    filler.fill(*reply);
    --left_;
    const grpc::Slice bytes(reply->SerializePartialAsString());
    reply_ = grpc::ByteBuffer(&bytes, 1);
    StartWrite(&reply_);
  }

  // trainctl wants as many answers as it gave lines.
  int lines_asked() {
    traind::v1::TranslateRequest request;
    if (method_->input_type() != request.GetDescriptor()) return kRepeats;
    grpc::Slice slice;
    if (!request_.DumpToSingleSlice(&slice).ok()) return kRepeats;
    request.ParseFromArray(slice.begin(), static_cast<int>(slice.size()));
    return request.lines_size();
  }

  const MethodDescriptor* const method_;
  Strings& strings_;
  const bool refuses_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer reply_;
  int left_ = 0;
};

class HostileService : public grpc::CallbackGenericService {
 public:
  HostileService(Strings& strings, bool refuses) : strings_(strings), refuses_(refuses) {}
  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    return new Call(context->method(), strings_, refuses_);
  }

 private:
  Strings& strings_;
  const bool refuses_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 64;
  Strings strings(argv[2]);
  HostileService service(strings, std::string(argv[3]) == "refuse");
  grpc::ServerBuilder builder;
  builder.AddListeningPort(std::string("unix:") + argv[1], grpc::InsecureServerCredentials());
  builder.RegisterCallbackGenericService(&service);
  const auto server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  std::puts("listening");
  std::fflush(stdout);
  server->Wait();
}
