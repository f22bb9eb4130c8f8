// SPDX-License-Identifier: GPL-2.0
/* Security modules. */

/*
 * LSM hooks that want a request: one is filled in on the stack. @listener may
 * be NULL, as it is for TCP's requests from SYN cookies.
 */
__newtcp void newtcp_request_init(struct inet_request_sock *ireq,
				  struct request_sock_ops *ops,
				  struct sock *listener,
				  const struct sock *sk,
				  const struct in6_addr *local, u16 lport,
				  const struct in6_addr *remote, u16 rport)
{
	struct request_sock *req = &ireq->req;

	memset(ireq, 0, sizeof(*ireq));
	req->rsk_ops = ops;
	req->rsk_listener = listener;
	req->__req_common.skc_family = ops->family;
	req->__req_common.skc_state = TCP_NEW_SYN_RECV;
	write_pnet(&ireq->ireq_net, sock_net(sk));
	ireq->ir_num = lport;
	ireq->ir_rmt_port = htons(rport);
#if IS_ENABLED(CONFIG_IPV6)
	if (ops->family == AF_INET6) {
		ireq->ir_v6_loc_addr = *local;
		ireq->ir_v6_rmt_addr = *remote;
		return;
	}
#endif
	ireq->ir_loc_addr = local->s6_addr32[3];
	ireq->ir_rmt_addr = remote->s6_addr32[3];
}

/* Labels that a module wants in IP options go with the request. */
__newtcp void newtcp_request_drop_options(struct inet_request_sock *ireq,
					  struct sock *listener)
{
	if (ireq->req.rsk_ops->family == AF_INET) {
		kfree(rcu_dereference_protected(ireq->ireq_opt, 1));
		return;
	}
#if IS_ENABLED(CONFIG_IPV6)
	if (ireq->ipv6_opt) {
		atomic_sub(ireq->ipv6_opt->tot_len, &listener->sk_omem_alloc);
		txopt_put(ireq->ipv6_opt);
	}
#endif
}

__newtcp int newtcp_security_conn_request(struct sock *listener,
					  struct sk_buff *skb,
					  struct inet_request_sock *ireq,
					  u32 *secid, u32 *peer_secid)
{
	int err = security_inet_conn_request(listener, skb, &ireq->req);

	*secid = ireq->req.secid;
	*peer_secid = ireq->req.peer_secid;
	newtcp_request_drop_options(ireq, listener);
	return err;
}

__newtcp void newtcp_security_clone(struct sock *child,
				    struct inet_request_sock *ireq,
				    u32 secid, u32 peer_secid)
{
	ireq->req.secid = secid;
	ireq->req.peer_secid = peer_secid;
	security_inet_csk_clone(child, &ireq->req);
}

__newtcp void newtcp_security_established(struct sock *sk,
					  struct sk_buff *skb)
{
	security_inet_conn_established(sk, skb);
}

/* The security module's say in an address whose family it did not know. */
__newtcp int newtcp_security_bind(struct socket *sock,
				  struct sockaddr_unsized *addr, int len)
{
	return security_socket_bind(sock, (struct sockaddr *)addr, len);
}

__newtcp int newtcp_security_connect(struct socket *sock,
				     struct sockaddr_unsized *addr, int len)
{
	return security_socket_connect(sock, (struct sockaddr *)addr, len);
}
