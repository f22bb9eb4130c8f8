// SPDX-License-Identifier: GPL-2.0
/*
 * Macros and inline functions of the network stack, as functions that Rust
 * can call. Wrappers only: anything that decides something is Rust.
 *
 * This file has three readers: bindgen (the definitions are its prototypes),
 * the compiler where Rust calls the helpers as ordinary functions, and the
 * compiler again where they become bitcode and vanish into the Rust object.
 */
#include <linux/compiler_types.h>

#ifdef __BINDGEN__
/* bindgen passes over inline functions. */
#define __newtcp
#else
#define __newtcp __always_inline
#endif

#include <asm/ioctls.h>
#include <linux/errqueue.h>
#include <linux/fcntl.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/inet_diag.h>
#include <linux/inetdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/net.h>
#include <linux/net_tstamp.h>
#include <linux/poll.h>
#include <linux/proc_fs.h>
#include <linux/random.h>
#include <linux/rtnetlink.h>
#include <linux/security.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/seq_file_net.h>
#include <linux/siphash.h>
#include <linux/skbuff.h>
#include <linux/skbuff_ref.h>
#include <linux/sock_diag.h>
#include <linux/socket.h>
#include <linux/sockios.h>
#include <linux/sockptr.h>
#include <linux/swap.h>
#include <linux/sysctl.h>
#include <linux/tcp.h>
#include <linux/uio.h>
#include <linux/wait.h>
#include <net/addrconf.h>
#include <net/busy_poll.h>
#include <net/dst.h>
#include <net/gro.h>
#include <net/icmp.h>
#include <net/inet6_connection_sock.h>
#include <net/inet_common.h>
#include <net/inet_connection_sock.h>
#include <net/inet_sock.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/ndisc.h>
#include <net/netns/generic.h>
#include <net/proto_memory.h>
#include <net/protocol.h>
#include <net/route.h>
#include <net/rps.h>
#include <net/secure_seq.h>
#include <net/sock.h>
#include <net/sock_reuseport.h>
#include <net/tcp.h>
#include <net/transp_v6.h>

#include <net/xfrm.h>
#include <uapi/linux/mynewtcp.h>

#include "data.h"

#include "helpers/const.c"
#include "helpers/sync.c"
#include "helpers/sock.c"
#include "helpers/reuseport.c"
#include "helpers/memory.c"
#include "helpers/life.c"
#include "helpers/skb.c"
#include "helpers/early.c"
#include "helpers/spare.c"
#include "helpers/payload.c"
#include "helpers/route.c"
#include "helpers/ip.c"
#include "helpers/loopback.c"
#include "helpers/icmp.c"
#include "helpers/lsm.c"
#include "helpers/offload.c"
#include "helpers/stream.c"
#include "helpers/diag.c"
