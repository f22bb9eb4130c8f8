// SPDX-License-Identifier: GPL-2.0
/* Constants that bindgen cannot evaluate: casts and function-like macros. */

#ifdef __BINDGEN__
const gfp_t NEWTCP_GFP_KERNEL = GFP_KERNEL;
const gfp_t NEWTCP_GFP_ATOMIC = GFP_ATOMIC;
const gfp_t NEWTCP_GFP_ATOMIC_NOWARN = GFP_ATOMIC | __GFP_NOWARN;
const size_t NEWTCP_PAGE_SIZE = PAGE_SIZE;
const int NEWTCP_PAGE_SHIFT = PAGE_SHIFT;
const u32 NEWTCP_SKB_PAGE_ROOM = SKB_MAX_ORDER(0, 0);
const u32 NEWTCP_EPOLLIN = (__force u32)EPOLLIN;
const u32 NEWTCP_EPOLLOUT = (__force u32)EPOLLOUT;
const u32 NEWTCP_EPOLLERR = (__force u32)EPOLLERR;
const u32 NEWTCP_EPOLLHUP = (__force u32)EPOLLHUP;
const u32 NEWTCP_EPOLLRDNORM = (__force u32)EPOLLRDNORM;
const u32 NEWTCP_EPOLLWRNORM = (__force u32)EPOLLWRNORM;
const u32 NEWTCP_EPOLLRDHUP = (__force u32)EPOLLRDHUP;
const u32 NEWTCP_MAX_HEADER = L1_CACHE_ALIGN(128 + MAX_HEADER);
const u32 NEWTCP_SYSCTL_WMEM_OFFSET =
	offsetof(struct net, mynewtcp.sysctl_wmem);
const u32 NEWTCP_SYSCTL_RMEM_OFFSET =
	offsetof(struct net, mynewtcp.sysctl_rmem);
const u32 NEWTCP_CB_ROOM = sizeof_field(struct sk_buff, cb) -
	sizeof(struct sock_skb_cb);
const u32 NEWTCP_TIMESTAMPING_MASK = SOF_TIMESTAMPING_MASK;
const u32 NEWTCP_TX_ACK = SOF_TIMESTAMPING_TX_ACK;
const u32 NEWTCP_IPPROTO = CONFIG_MY_NEWTCP_PROTO;
const u32 NEWTCP_SOCK_STREAM = SOCK_STREAM;
const u32 NEWTCP_SOCK_RAW = SOCK_RAW;
const int NEWTCP_O_NONBLOCK = O_NONBLOCK;
const u32 NEWTCP_NDISC_REDIRECT = NDISC_REDIRECT;
const u32 NEWTCP_GSO_MAX_SIZE = GSO_LEGACY_MAX_SIZE;
const u32 NEWTCP_GSO_ECN = SKB_GSO_TCP_ECN;
/*
 * A superpacket is cut as TCP's is. The second bit keeps it from devices that
 * cut in hardware: only those that pass superpackets on as they are have it.
 */
const u32 NEWTCP_GSO_V4 = SKB_GSO_TCPV4 | SKB_GSO_SCTP;
const u32 NEWTCP_GSO_V6 = SKB_GSO_TCPV6 | SKB_GSO_SCTP;
const u32 NEWTCP_POLL_IN = POLL_IN;
const u32 NEWTCP_POLL_OUT = POLL_OUT;
const u32 NEWTCP_POLL_HUP = POLL_HUP;
const u32 NEWTCP_TASK_INTERRUPTIBLE = TASK_INTERRUPTIBLE;
const u32 NEWTCP_SOCK_MIN_RCVBUF = SOCK_MIN_RCVBUF;
const u32 NEWTCP_SIOCINQ = SIOCINQ;
const u32 NEWTCP_SIOCOUTQ = SIOCOUTQ;
const u32 NEWTCP_SIOCATMARK = SIOCATMARK;
const u32 NEWTCP_SIOCOUTQNSD = SIOCOUTQNSD;
#endif
