// SPDX-License-Identifier: GPL-2.0
/* Security modules. */

/* LSM hooks that want a request: one is filled in on the stack. */

__newtcp void newtcp_request_init(struct inet_request_sock *ireq,
				  struct request_sock_ops *ops,
				  const struct sock *listener)
{
	struct request_sock *req = &ireq->req;

	memset(ireq, 0, sizeof(*ireq));
	req->rsk_ops = ops;
	req->__req_common.skc_family = ops->family;
	req->__req_common.skc_state = TCP_NEW_SYN_RECV;
	write_pnet(&ireq->ireq_net, sock_net(listener));
}

__newtcp int newtcp_security_conn_request(const struct sock *listener,
					  struct sk_buff *skb,
					  struct inet_request_sock *ireq,
					  u32 *secid, u32 *peer_secid)
{
	int err = security_inet_conn_request(listener, skb, &ireq->req);

	*secid = ireq->req.secid;
	*peer_secid = ireq->req.peer_secid;
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
