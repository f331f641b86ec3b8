// One rtnetlink message as a plain value of src/native/addon.ts.
#pragma once

#include <libmnl/libmnl.h>
#include <napi.h>

namespace turnout {

// A NetlinkEvent, or undefined for messages that are of no interest (bridge port details, cloned routes, ...).
Napi::Value netlink_event(Napi::Env env, const nlmsghdr* message);

}  // namespace turnout
