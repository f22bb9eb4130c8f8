// SPDX-License-Identifier: GPL-2.0
/*
 * Gives NEW_TCP's segments TCP's protocol number where they leave a device,
 * and takes it back where they come in. The headers are the same, so that a
 * host with TCP at the other end sees TCP. Compiled and loaded by `gateway`,
 * which says on the command line what belongs to NEW_TCP:
 *
 *	NEWTCP		its protocol number
 *	LINK_HEADER	bytes in front of the IP header
 *	LOCAL4(a), LOCAL6(a), PEER4(a), PEER6(a)
 *			whether the address, in 32-bit words, is one of those
 *	PORT_MIN, PORT_MAX
 *			the ports of this host
 *	__section(name)	as in the kernel
 */
#include <linux/bpf.h>
#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <stdbool.h>
#include <stddef.h>

#define HTONS(x) __builtin_bswap16(x)
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#undef HTONS
#define HTONS(x) (x)
#endif
#define FRAGMENT_OFFSET 0x1fff

/* <linux/icmp.h> takes in headers of the C library, which has none for BPF. */
enum { UNREACHABLE = 3, TIME_EXCEEDED = 11, PARAMETER_PROBLEM = 12 };

struct icmp_error {
	__u8 type;
	__u8 code;
	__be16 check;
	__u32 rest;
};

static long (*const load)(const struct __sk_buff *skb, __u32 at, void *to,
			  __u32 length) = (void *)BPF_FUNC_skb_load_bytes;
static long (*const store)(struct __sk_buff *skb, __u32 at, const void *from,
			   __u32 length, __u64 flags) = (void *)BPF_FUNC_skb_store_bytes;
static long (*const l3_csum)(struct __sk_buff *skb, __u32 at, __u64 from, __u64 to,
			     __u64 size) = (void *)BPF_FUNC_l3_csum_replace;
static long (*const l4_csum)(struct __sk_buff *skb, __u32 at, __u64 from, __u64 to,
			     __u64 flags) = (void *)BPF_FUNC_l4_csum_replace;

/* Which way a packet goes, and the number that it has and shall have. */
struct way {
	bool out;
	__u8 from;
	__u8 to;
};

/* Is the port of this host one of those? Only asked if not all of them are. */
static inline bool port_fits(struct __sk_buff *skb, __u32 at, bool local_first)
{
	__be16 ports[2];

	if (PORT_MIN == 0 && PORT_MAX == 65535)
		return true;
	if (load(skb, at, ports, sizeof(ports)))
		return false;
	__u16 port = HTONS(ports[local_first ? 0 : 1]);

	return port >= PORT_MIN && port <= PORT_MAX;
}

/*
 * The checksum of a segment covers the protocol number. It may be complete or
 * only that of the pseudo-header, for a device to complete: the kernel's
 * function knows which.
 */
static inline void segment(struct __sk_buff *skb, __u32 at, struct way way)
{
	l4_csum(skb, at + offsetof(struct tcphdr, check), HTONS(way.from), HTONS(way.to),
		BPF_F_PSEUDO_HDR | sizeof(__be16));
}

/*
 * An IPv4 header at an offset. An ICMP error quotes a packet that went the
 * other way. The number and the header's checksum change by the same amount,
 * so no checksum around them does.
 */
static inline void ipv4(struct __sk_buff *skb, __u32 at, struct way way, bool quoted)
{
	bool local_first = way.out != quoted;
	struct iphdr ip;

	if (load(skb, at, &ip, sizeof(ip)) || ip.protocol != way.from)
		return;
	__u32 local = local_first ? ip.saddr : ip.daddr;
	__u32 peer = local_first ? ip.daddr : ip.saddr;
	__u32 data = at + ip.ihl * 4;
	bool first = !(ip.frag_off & HTONS(FRAGMENT_OFFSET));

	if (!LOCAL4(local) || !PEER4(peer))
		return;
	if (!port_fits(skb, first ? data : ~0U, local_first))
		return;
	l3_csum(skb, at + offsetof(struct iphdr, check), HTONS(way.from), HTONS(way.to),
		sizeof(__be16));
	store(skb, at + offsetof(struct iphdr, protocol), &way.to, sizeof(way.to), 0);
	if (first && !quoted)
		segment(skb, data, way);
}

/* An IPv6 header at an offset; icmp is where the error is that quotes it, or 0. */
static inline void ipv6(struct __sk_buff *skb, __u32 at, struct way way, __u32 icmp)
{
	bool local_first = way.out != !!icmp;
	struct ipv6hdr ip;

	if (load(skb, at, &ip, sizeof(ip)) || ip.nexthdr != way.from)
		return;
	const __u32 *local = local_first ? ip.saddr.in6_u.u6_addr32 : ip.daddr.in6_u.u6_addr32;
	const __u32 *peer = local_first ? ip.daddr.in6_u.u6_addr32 : ip.saddr.in6_u.u6_addr32;

	if (!LOCAL6(local) || !PEER6(peer))
		return;
	if (!port_fits(skb, at + sizeof(ip), local_first))
		return;
	store(skb, at + offsetof(struct ipv6hdr, nexthdr), &way.to, sizeof(way.to),
	      icmp ? 0 : BPF_F_RECOMPUTE_CSUM);
	if (icmp)
		l4_csum(skb, icmp + offsetof(struct icmp_error, check),
			HTONS(way.from << 8 | ip.hop_limit), HTONS(way.to << 8 | ip.hop_limit),
			sizeof(__be16));
	else
		segment(skb, at + sizeof(ip), way);
}

/* What an ICMP error quotes has to be of the protocol that sent it. */
static inline void icmpv4(struct __sk_buff *skb, struct way way)
{
	struct icmp_error icmp;
	struct iphdr ip;
	__u32 at;

	if (load(skb, LINK_HEADER, &ip, sizeof(ip)) || ip.protocol != IPPROTO_ICMP ||
	    ip.frag_off & HTONS(FRAGMENT_OFFSET))
		return;
	at = LINK_HEADER + ip.ihl * 4;
	if (load(skb, at, &icmp, sizeof(icmp)))
		return;
	if (icmp.type == UNREACHABLE || icmp.type == TIME_EXCEEDED ||
	    icmp.type == PARAMETER_PROBLEM)
		ipv4(skb, at + sizeof(icmp), way, true);
}

static inline void icmpv6(struct __sk_buff *skb, struct way way)
{
	__u32 at = LINK_HEADER + sizeof(struct ipv6hdr);
	struct icmp_error icmp;
	struct ipv6hdr ip;

	if (load(skb, LINK_HEADER, &ip, sizeof(ip)) || ip.nexthdr != IPPROTO_ICMPV6)
		return;
	if (load(skb, at, &icmp, sizeof(icmp)))
		return;
	if (icmp.type >= ICMPV6_DEST_UNREACH && icmp.type <= ICMPV6_PARAMPROB)
		ipv6(skb, at + sizeof(icmp), way, at);
}

static inline int packet(struct __sk_buff *skb, struct way way)
{
	if (skb->protocol == HTONS(ETH_P_IP)) {
		icmpv4(skb, way);
		ipv4(skb, LINK_HEADER, way, false);
	} else if (skb->protocol == HTONS(ETH_P_IPV6)) {
		icmpv6(skb, way);
		ipv6(skb, LINK_HEADER, way, 0);
	}
	return TC_ACT_UNSPEC;
}

__section("out") int gateway_out(struct __sk_buff *skb)
{
	struct way way = { .out = true, .from = NEWTCP, .to = IPPROTO_TCP };

	return packet(skb, way);
}

__section("in") int gateway_in(struct __sk_buff *skb)
{
	struct way way = { .out = false, .from = IPPROTO_TCP, .to = NEWTCP };

	return packet(skb, way);
}

__section("license") const char gateway_license[] = "GPL";
