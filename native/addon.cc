// Table of contents: libbpf, rtnetlink and sock_diag seen from JavaScript. Knows nothing of Services.
// One class per kernel handle. src/native/*.ts checks arguments and names things; the code here asserts.
#include "attached.h"
#include "error.h"
#include "instance.h"
#include "link.h"
#include "map.h"
#include "netlink.h"
#include "object.h"
#include "program.h"
#include "ring_buffer.h"
#include "sock_diag.h"
#include "system.h"
#include "tc_filter.h"

static Napi::Object init(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new turnout::Instance());
  turnout::init_error(env, exports);             // setErrorClass
  turnout::Object::init(env, exports);           // Object: open, describe, configure, load
  turnout::Map::init(env, exports);              // Map: rows, batches, mmap, pin
  turnout::Program::init(env, exports);          // Program: test run, attach, pin
  turnout::Link::init(env, exports);             // Link: update, pin, detach
  turnout::TcFilter::init(env, exports);         // TcFilter: what stands for a link on kernels without tcx
  turnout::RingBuffer::init(env, exports);       // RingBuffer
  turnout::init_netlink(env, exports);           // listDevices, listAddresses, listRoutes
  turnout::NetlinkFollower::init(env, exports);  // NetlinkFollower
  turnout::init_sock_diag(env, exports);         // listConnectedUdp, destroyUdp
  turnout::init_attached(env, exports);          // listTcxPrograms
  turnout::init_system(env, exports);            // mountBpffs, isBpffs, unlinkPin, netnsCookie, ...
  return exports;
}

NODE_API_MODULE(turnout, init)
