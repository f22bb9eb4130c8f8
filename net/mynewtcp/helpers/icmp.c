// SPDX-License-Identifier: GPL-2.0
/* ICMP messages about our packets. */

/* ICMP: what the error means for a socket, 0 for nothing. */

__newtcp int newtcp_icmp4_errno(u8 type, u8 code, bool *hard)
{
	*hard = false;
	switch (type) {
	case ICMP_PARAMETERPROB:
		*hard = true;
		return EPROTO;
	case ICMP_TIME_EXCEEDED:
		return EHOSTUNREACH;
	case ICMP_DEST_UNREACH:
		if (code > NR_ICMP_UNREACH)
			return 0;
		*hard = icmp_err_convert[code].fatal;
		return icmp_err_convert[code].errno;
	}
	return 0;
}

__newtcp int newtcp_icmp6_errno(u8 type, u8 code, bool *hard)
{
	int err = 0;

	*hard = false;
#if IS_ENABLED(CONFIG_IPV6)
	*hard = icmpv6_err_convert(type, code, &err);
#endif
	return err;
}

__newtcp u8 newtcp_icmp4_type(const struct sk_buff *skb)
{
	return icmp_hdr(skb)->type;
}

__newtcp u8 newtcp_icmp4_code(const struct sk_buff *skb)
{
	return icmp_hdr(skb)->code;
}

__newtcp void newtcp_icmp_count_no_socket(const struct sk_buff *skb, bool v6)
{
	struct net *net = dev_net_rcu(skb->dev);

#if IS_ENABLED(CONFIG_IPV6)
	if (v6) {
		ICMP6_INC_STATS(net, __in6_dev_get(skb->dev), ICMP6_MIB_INERRORS);
		return;
	}
#endif
	__ICMP_INC_STATS(net, ICMP_MIB_INERRORS);
}

__newtcp bool newtcp_wants_icmp_queue(const struct sock *sk, bool v6)
{
#if IS_ENABLED(CONFIG_IPV6)
	if (v6)
		return inet6_test_bit(RECVERR6, sk);
#endif
	return inet_test_bit(RECVERR, sk);
}

__newtcp void newtcp_icmp_queue(struct sock *sk, struct sk_buff *skb, bool v6,
				int err, u16 dport, u32 info, u8 *payload)
{
#if IS_ENABLED(CONFIG_IPV6)
	if (v6) {
		ipv6_icmp_error(sk, skb, err, htons(dport), info, payload);
		return;
	}
#endif
	ip_icmp_error(sk, skb, err, htons(dport), info, payload);
}
