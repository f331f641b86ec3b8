#include "sock_diag.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "error.h"

namespace turnout {
namespace {

using Socket = std::unique_ptr<mnl_socket, int (*)(mnl_socket*)>;

constexpr char kList[] = "sockDiag.listConnectedUdp";
constexpr char kDestroy[] = "sockDiag.destroyUdp";
constexpr size_t kReceiveSize = 64 * 1024;  // the kernel fills what it is given, up to 32 KiB a message of a dump

Socket open_socket(Napi::Env env, const char* operation) {
  Socket socket(mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC), mnl_socket_close);
  if (socket == nullptr || mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) != 0) throw errno_error(env, operation, errno);
  return socket;
}

ssize_t receive(Napi::Env env, const char* operation, mnl_socket* socket, std::vector<char>& buffer) {
  for (;;) {
    ssize_t size = mnl_socket_recvfrom(socket, buffer.data(), buffer.size());
    if (size >= 0) return size;
    if (errno != EINTR) throw errno_error(env, operation, errno);
  }
}

std::string address_text(int family, const __be32* address) {
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(family, address, text, sizeof text);
  return text;
}

Napi::Object socket_of(Napi::Env env, const nlmsghdr* message) {
  auto* header = static_cast<const inet_diag_msg*>(mnl_nlmsg_get_payload(message));
  uint64_t cookie = header->id.idiag_cookie[0] | static_cast<uint64_t>(header->id.idiag_cookie[1]) << 32;
  auto socket = Napi::Object::New(env);
  socket.Set("family", header->idiag_family == AF_INET ? 4 : 6);
  socket.Set("localAddress", address_text(header->idiag_family, header->id.idiag_src));
  socket.Set("localPort", ntohs(header->id.idiag_sport));
  socket.Set("remoteAddress", address_text(header->idiag_family, header->id.idiag_dst));
  socket.Set("remotePort", ntohs(header->id.idiag_dport));
  socket.Set("ifindex", header->id.idiag_if);
  socket.Set("cookie", Napi::BigInt::New(env, cookie));
  return socket;
}

void dump(Napi::Env env, uint8_t family, Napi::Array& result) {
  Socket socket = open_socket(env, kList);
  char buffer[256] = {};
  nlmsghdr* request = mnl_nlmsg_put_header(buffer);
  request->nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  auto* wanted = static_cast<inet_diag_req_v2*>(mnl_nlmsg_put_extra_header(request, sizeof(inet_diag_req_v2)));
  wanted->sdiag_family = family;
  wanted->sdiag_protocol = IPPROTO_UDP;
  wanted->idiag_states = 1 << TCP_ESTABLISHED;  // of a UDP socket: connected
  if (mnl_socket_sendto(socket.get(), request, request->nlmsg_len) < 0) throw errno_error(env, kList, errno);
  std::vector<char> answer(kReceiveSize);
  for (;;) {
    int left = static_cast<int>(receive(env, kList, socket.get(), answer));
    for (auto* message = reinterpret_cast<nlmsghdr*>(answer.data()); mnl_nlmsg_ok(message, left);
         message = mnl_nlmsg_next(message, &left)) {
      if (message->nlmsg_type == NLMSG_DONE) return;
      if (message->nlmsg_type == NLMSG_ERROR) {
        throw errno_error(env, kList, static_cast<nlmsgerr*>(mnl_nlmsg_get_payload(message))->error);
      }
      result.Set(result.Length(), socket_of(env, message));
    }
  }
}

// (): UdpSocket[]
Napi::Value list_connected_udp(const Napi::CallbackInfo& info) {
  auto env = info.Env();
  auto result = Napi::Array::New(env);
  // A dump of all families at once does not exist. AF_INET6 has IPv6 sockets that talk IPv4, too.
  for (uint8_t family : {AF_INET, AF_INET6}) dump(env, family, result);
  return result;
}

uint16_t port_of(const Napi::Object& socket, const char* name) {
  return htons(static_cast<uint16_t>(socket.Get(name).As<Napi::Number>().Uint32Value()));
}

// (UdpSocket): void
void destroy_udp(const Napi::CallbackInfo& info) {
  auto env = info.Env();
  auto from = info[0].As<Napi::Object>();
  bool lossless = true;
  uint64_t cookie = from.Get("cookie").As<Napi::BigInt>().Uint64Value(&lossless);
  std::string local = from.Get("localAddress").As<Napi::String>();
  std::string remote = from.Get("remoteAddress").As<Napi::String>();
  char buffer[256] = {};
  nlmsghdr* request = mnl_nlmsg_put_header(buffer);
  request->nlmsg_type = SOCK_DESTROY;
  request->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  auto* which = static_cast<inet_diag_req_v2*>(mnl_nlmsg_put_extra_header(request, sizeof(inet_diag_req_v2)));
  which->sdiag_family = from.Get("family").As<Napi::Number>().Int32Value() == 4 ? AF_INET : AF_INET6;
  which->sdiag_protocol = IPPROTO_UDP;
  which->idiag_states = 1 << TCP_ESTABLISHED;
  assert_that(env, inet_pton(which->sdiag_family, local.c_str(), which->id.idiag_src) == 1, "localAddress");
  assert_that(env, inet_pton(which->sdiag_family, remote.c_str(), which->id.idiag_dst) == 1, "remoteAddress");
  which->id.idiag_sport = port_of(from, "localPort");
  which->id.idiag_dport = port_of(from, "remotePort");
  which->id.idiag_if = from.Get("ifindex").As<Napi::Number>().Uint32Value();
  which->id.idiag_cookie[0] = static_cast<uint32_t>(cookie);
  which->id.idiag_cookie[1] = static_cast<uint32_t>(cookie >> 32);
  Socket socket = open_socket(env, kDestroy);
  if (mnl_socket_sendto(socket.get(), request, request->nlmsg_len) < 0) throw errno_error(env, kDestroy, errno);
  std::vector<char> answer(kReceiveSize);
  int left = static_cast<int>(receive(env, kDestroy, socket.get(), answer));
  auto* message = reinterpret_cast<nlmsghdr*>(answer.data());
  assert_that(env, mnl_nlmsg_ok(message, left) && message->nlmsg_type == NLMSG_ERROR, "an acknowledgement");
  int error = static_cast<nlmsgerr*>(mnl_nlmsg_get_payload(message))->error;
  if (error != 0) throw errno_error(env, kDestroy, error);
}

}  // namespace

void init_sock_diag(Napi::Env env, Napi::Object exports) {
  exports.Set("listConnectedUdp", Napi::Function::New(env, list_connected_udp));
  exports.Set("destroyUdp", Napi::Function::New(env, destroy_udp));
}

}  // namespace turnout
