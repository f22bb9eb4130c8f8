// SPDX-License-Identifier: GPL-2.0
/*
 * A security module for tests: it notes when TCP and NEW_TCP ask about
 * connections, what they give, and whether they carry on what they get. A
 * socket whose SO_MARK is one of ours tells it by SO_PEERSEC; the module lets
 * everything pass but what listeners with the second mark are asked for.
 */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/lsm_hooks.h>
#include <linux/sockptr.h>
#include <net/inet_sock.h>
#include <net/ipv6.h>
#include <net/request_sock.h>

#define TELLING		0x5ec00000
#define REFUSING	0x5ec00001

/* What has been seen of one socket. */
struct seen {
	u32 requests;
	u32 refused;
	u32 clones;
	u32 established;
	/* Of the last call. */
	u32 secid;
	u32 peer_secid;
	int family;
	struct in6_addr remote;
	u16 remote_port;
};

static struct lsm_blob_sizes sizes __ro_after_init = {
	.lbs_sock = sizeof(struct seen),
};

static atomic_t serial;

static struct seen *seen_of(const struct sock *sk)
{
	return sk->sk_security + sizes.lbs_sock;
}

/* Source and destination port of a packet, at the start of either header. */
static u32 ports_of(const struct sk_buff *skb)
{
	const __be16 *ports = (const void *)skb_transport_header(skb);

	return ntohs(ports[0]) << 16 | ntohs(ports[1]);
}

static void note_request(struct seen *seen, const struct request_sock *req)
{
	const struct inet_request_sock *ireq = inet_rsk(req);

	seen->secid = req->secid;
	seen->peer_secid = req->peer_secid;
	seen->family = req->rsk_ops->family;
	seen->remote_port = ntohs(ireq->ir_rmt_port);
#if IS_ENABLED(CONFIG_IPV6)
	if (seen->family == AF_INET6)
		seen->remote = ireq->ir_v6_rmt_addr;
	else
#endif
		ipv6_addr_set_v4mapped(ireq->ir_rmt_addr, &seen->remote);
}

static int conn_request(const struct sock *sk, struct sk_buff *skb,
			struct request_sock *req)
{
	struct seen *seen = seen_of(sk);

	if (READ_ONCE(sk->sk_mark) == REFUSING) {
		seen->refused++;
		return -EACCES;
	}
	req->secid = atomic_inc_return(&serial);
	req->peer_secid = ports_of(skb);
	note_request(seen, req);
	seen->requests++;
	return 0;
}

static void csk_clone(struct sock *newsk, const struct request_sock *req)
{
	struct seen *seen = seen_of(newsk);

	note_request(seen, req);
	seen->clones++;
}

static void conn_established(struct sock *sk, struct sk_buff *skb)
{
	struct seen *seen = seen_of(sk);

	seen->peer_secid = ports_of(skb);
	seen->established++;
}

static int getpeersec_stream(struct socket *sock, sockptr_t optval,
			     sockptr_t optlen, unsigned int len)
{
	const struct seen *seen = seen_of(sock->sk);
	u32 mark = READ_ONCE(sock->sk->sk_mark);
	char text[160];
	int told;

	if (mark != TELLING && mark != REFUSING)
		return -ENOPROTOOPT;
	told = scnprintf(text, sizeof(text), "%u %u %u %u %u %u %u %d %pI6 %u",
			 seen->requests, seen->refused, seen->clones,
			 seen->established, seen->secid,
			 seen->peer_secid >> 16, seen->peer_secid & 0xffff,
			 seen->family, &seen->remote, seen->remote_port);
	if (copy_to_sockptr(optlen, &told, sizeof(told)))
		return -EFAULT;
	if (told > len)
		return -ERANGE;
	return copy_to_sockptr(optval, text, told) ? -EFAULT : 0;
}

static struct security_hook_list hooks[] __ro_after_init = {
	LSM_HOOK_INIT(inet_conn_request, conn_request),
	LSM_HOOK_INIT(inet_csk_clone, csk_clone),
	LSM_HOOK_INIT(inet_conn_established, conn_established),
	LSM_HOOK_INIT(socket_getpeersec_stream, getpeersec_stream),
};

static const struct lsm_id id = {
	.name = "newtcp_test",
	.id = LSM_ID_UNDEF,
};

static int __init test_lsm_init(void)
{
	security_add_hooks(hooks, ARRAY_SIZE(hooks), &id);
	return 0;
}

DEFINE_LSM(newtcp_test) = {
	.id = &id,
	.order = LSM_ORDER_LAST,
	.blobs = &sizes,
	.init = test_lsm_init,
};
