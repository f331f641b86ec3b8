#include "netlink_message.h"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <cstdio>
#include <cstring>
#include <string>

namespace turnout {
namespace {

constexpr size_t kMacSize = 6;

// libmnl's own loops are C macros that do not compile as C++.
template <typename Visit>
void each_attribute(const void* begin, const void* end, Visit visit) {
  auto* attribute = static_cast<const nlattr*>(begin);
  auto left = [&] { return static_cast<int>(static_cast<const char*>(end) - reinterpret_cast<const char*>(attribute)); };
  for (; mnl_attr_ok(attribute, left()); attribute = mnl_attr_next(attribute)) visit(attribute);
}

template <typename Visit>
void each_attribute(const nlmsghdr* message, size_t header_size, Visit visit) {
  each_attribute(mnl_nlmsg_get_payload_offset(message, header_size), mnl_nlmsg_get_payload_tail(message), visit);
}

template <typename Visit>
void each_nested(const nlattr* attribute, Visit visit) {
  auto* begin = static_cast<const char*>(mnl_attr_get_payload(attribute));
  each_attribute(begin, begin + mnl_attr_get_payload_len(attribute), visit);
}

std::string address_text(int family, const nlattr* attribute) {
  char text[INET6_ADDRSTRLEN] = {};
  size_t size = family == AF_INET ? 4 : 16;
  if (mnl_attr_get_payload_len(attribute) < size) return "";
  inet_ntop(family, mnl_attr_get_payload(attribute), text, sizeof text);
  return text;
}

std::string mac_text(const nlattr* attribute) {
  if (mnl_attr_get_payload_len(attribute) != kMacSize) return "";
  auto* octet = static_cast<const uint8_t*>(mnl_attr_get_payload(attribute));
  char text[18];
  snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", octet[0], octet[1], octet[2], octet[3], octet[4], octet[5]);
  return text;
}

// Attributes are NUL-terminated or not, depending on who wrote them.
std::string text_of(const nlattr* attribute) {
  auto* text = static_cast<const char*>(mnl_attr_get_payload(attribute));
  return std::string(text, strnlen(text, mnl_attr_get_payload_len(attribute)));
}

Napi::Value device_of(Napi::Env env, const nlmsghdr* message) {
  auto* header = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
  // AF_BRIDGE messages tell of ports: their RTM_DELLINK means "left the bridge", not "gone".
  if (header->ifi_family != AF_UNSPEC) return env.Undefined();
  std::string name, kind, slave_kind, mac;
  uint32_t mtu = 0, master = 0, link = 0;
  each_attribute(message, sizeof *header, [&](const nlattr* attribute) {
    switch (mnl_attr_get_type(attribute)) {
      case IFLA_IFNAME:
        name = text_of(attribute);
        break;
      case IFLA_ADDRESS:
        mac = mac_text(attribute);
        break;
      case IFLA_MTU:
        mtu = mnl_attr_get_u32(attribute);
        break;
      case IFLA_MASTER:
        master = mnl_attr_get_u32(attribute);
        break;
      case IFLA_LINK:
        link = mnl_attr_get_u32(attribute);
        break;
      case IFLA_LINKINFO: {
        each_nested(attribute, [&](const nlattr* nested) {
          if (mnl_attr_get_type(nested) == IFLA_INFO_KIND) kind = text_of(nested);
          if (mnl_attr_get_type(nested) == IFLA_INFO_SLAVE_KIND) slave_kind = text_of(nested);
        });
        break;
      }
    }
  });
  auto device = Napi::Object::New(env);
  device.Set("ifindex", header->ifi_index);
  device.Set("name", name);
  device.Set("kind", kind);
  device.Set("slaveKind", slave_kind);
  device.Set("type", header->ifi_type);
  device.Set("mac", mac);
  device.Set("mtu", mtu);
  device.Set("flags", header->ifi_flags);
  device.Set("masterIfindex", master);
  device.Set("linkIfindex", link);
  return device;
}

Napi::Value address_of(Napi::Env env, const nlmsghdr* message) {
  auto* header = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(message));
  if (header->ifa_family != AF_INET && header->ifa_family != AF_INET6) return env.Undefined();
  std::string address, local;
  uint32_t flags = header->ifa_flags;  // the low 8 bits; IFA_FLAGS has all
  each_attribute(message, sizeof *header, [&](const nlattr* attribute) {
    switch (mnl_attr_get_type(attribute)) {
      case IFA_ADDRESS:
        address = address_text(header->ifa_family, attribute);
        break;
      case IFA_LOCAL:
        local = address_text(header->ifa_family, attribute);
        break;
      case IFA_FLAGS:
        flags = mnl_attr_get_u32(attribute);
        break;
    }
  });
  auto result = Napi::Object::New(env);
  result.Set("ifindex", header->ifa_index);
  result.Set("family", header->ifa_family == AF_INET ? 4 : 6);
  // On point-to-point links IFA_ADDRESS is the peer.
  result.Set("address", local.empty() ? address : local);
  result.Set("prefixLength", header->ifa_prefixlen);
  result.Set("scope", header->ifa_scope);
  result.Set("flags", flags);
  return result;
}

Napi::Value route_of(Napi::Env env, const nlmsghdr* message) {
  auto* header = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(message));
  if (header->rtm_family != AF_INET && header->rtm_family != AF_INET6) return env.Undefined();
  if (header->rtm_flags & RTM_F_CLONED) return env.Undefined();  // learned path MTUs and redirects
  std::string destination, gateway, preferred_source;
  uint32_t device = 0, table = header->rtm_table, metric = 0;
  each_attribute(message, sizeof *header, [&](const nlattr* attribute) {
    switch (mnl_attr_get_type(attribute)) {
      case RTA_DST:
        destination = address_text(header->rtm_family, attribute);
        break;
      case RTA_GATEWAY:
        gateway = address_text(header->rtm_family, attribute);
        break;
      case RTA_VIA: {  // a gateway of the other family
        auto* via = static_cast<const rtvia*>(mnl_attr_get_payload(attribute));
        char text[INET6_ADDRSTRLEN] = {};
        inet_ntop(via->rtvia_family, via->rtvia_addr, text, sizeof text);
        gateway = text;
        break;
      }
      case RTA_PREFSRC:
        preferred_source = address_text(header->rtm_family, attribute);
        break;
      case RTA_OIF:
        device = mnl_attr_get_u32(attribute);
        break;
      case RTA_TABLE:
        table = mnl_attr_get_u32(attribute);
        break;
      case RTA_PRIORITY:
        metric = mnl_attr_get_u32(attribute);
        break;
    }
  });
  const char* any = header->rtm_family == AF_INET ? "0.0.0.0" : "::";
  std::string prefix = (destination.empty() ? any : destination) + "/" + std::to_string(header->rtm_dst_len);
  auto result = Napi::Object::New(env);
  result.Set("family", header->rtm_family == AF_INET ? 4 : 6);
  result.Set("destination", header->rtm_dst_len == 0 ? "default" : prefix);
  result.Set("gateway", gateway);
  result.Set("preferredSource", preferred_source);
  result.Set("ifindex", device);
  result.Set("table", table);
  result.Set("type", header->rtm_type);
  result.Set("protocol", header->rtm_protocol);
  result.Set("scope", header->rtm_scope);
  result.Set("metric", metric);
  return result;
}

}  // namespace

Napi::Value netlink_event(Napi::Env env, const nlmsghdr* message) {
  const char* kind = nullptr;
  bool is_delete = false;
  Napi::Value value = env.Undefined();
  switch (message->nlmsg_type) {
    case RTM_DELLINK:
      is_delete = true;
      [[fallthrough]];
    case RTM_NEWLINK:
      kind = "device";
      value = device_of(env, message);
      break;
    case RTM_DELADDR:
      is_delete = true;
      [[fallthrough]];
    case RTM_NEWADDR:
      kind = "address";
      value = address_of(env, message);
      break;
    case RTM_DELROUTE:
      is_delete = true;
      [[fallthrough]];
    case RTM_NEWROUTE:
      kind = "route";
      value = route_of(env, message);
      break;
  }
  if (value.IsUndefined()) return value;
  auto event = Napi::Object::New(env);
  event.Set("kind", kind);
  event.Set("action", is_delete ? "delete" : "new");
  event.Set(kind, value);
  return event;
}

}  // namespace turnout
