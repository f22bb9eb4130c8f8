// SPDX-License-Identifier: GPL-2.0
/* Socket diagnosis over netlink, and what /proc shows of a socket. */

/* Where a reader of a table in /proc is; the private data of its file. */
struct newtcp_seq_table {
	struct seq_net_private net;
	/* What was shown last, and the numbers of lines before and after it. */
	unsigned long element;
	unsigned int before;
	unsigned int after;
};

__newtcp struct newtcp_seq_table *newtcp_seq_table(struct seq_file *seq)
{
	return seq->private;
}

/* Lines of a table have one length, so that a reader can seek in it. */
__newtcp void newtcp_seq_line(struct seq_file *seq, unsigned int width)
{
	seq_setwidth(seq, width);
}

__newtcp void newtcp_seq_line_end(struct seq_file *seq)
{
	seq_pad(seq, '\n');
}

/* The namespace of a file made with proc_create_net_data(). */
__newtcp struct net *newtcp_seq_file_net(struct seq_file *seq)
{
	return seq_file_net(seq);
}

__newtcp bool newtcp_proc_create_table(struct net *net, const char *name,
				       const struct seq_operations *ops)
{
	return !IS_ENABLED(CONFIG_PROC_FS) ||
	       proc_create_net_data(name, 0444, net->proc_net, ops,
				    sizeof(struct newtcp_seq_table), NULL);
}

__newtcp void newtcp_proc_remove_table(struct net *net, const char *name)
{
	remove_proc_entry(name, net->proc_net);
}

__newtcp unsigned int newtcp_sock_uid(struct sock *sk, struct seq_file *seq)
{
	return from_kuid_munged(seq_user_ns(seq), sk_uid(sk));
}

__newtcp unsigned long newtcp_sock_ino(struct sock *sk)
{
	return sock_i_ino(sk);
}

__newtcp int newtcp_sock_refs(const struct sock *sk)
{
	return refcount_read(&sk->sk_refcnt);
}

__newtcp void newtcp_cond_resched(void)
{
	cond_resched();
}

#ifdef CONFIG_MY_NEWTCP_DIAG

__newtcp long *newtcp_diag_args(struct netlink_callback *cb)
{
	return cb->args;
}

__newtcp struct sk_buff *newtcp_diag_question(const struct netlink_callback *cb)
{
	return cb->skb;
}

__newtcp struct net *newtcp_diag_net(const struct sk_buff *question)
{
	return sock_net(question->sk);
}

__newtcp bool newtcp_diag_net_admin(const struct sk_buff *question)
{
	return netlink_net_capable(question, CAP_NET_ADMIN);
}

__newtcp bool newtcp_diag_may_destroy(const struct net *net)
{
	return ns_capable(net->user_ns, CAP_NET_ADMIN);
}

__newtcp bool newtcp_diag_wanted(const struct netlink_callback *cb,
				 struct sock *sk)
{
	return inet_diag_bc_sk(cb->data, sk);
}

__newtcp struct nlmsghdr *newtcp_diag_begin(struct sk_buff *skb,
					    const struct netlink_callback *cb,
					    int flags)
{
	return nlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
			 cb->nlh->nlmsg_type, sizeof(struct inet_diag_msg),
			 flags);
}

__newtcp struct inet_diag_msg *newtcp_diag_msg(const struct nlmsghdr *nlh)
{
	return nlmsg_data(nlh);
}

__newtcp void newtcp_diag_end(struct sk_buff *skb, struct nlmsghdr *nlh)
{
	nlmsg_end(skb, nlh);
}

__newtcp void newtcp_diag_cancel(struct sk_buff *skb, struct nlmsghdr *nlh)
{
	nlmsg_cancel(skb, nlh);
}

/* The attributes that the generic parts of a socket answer. */
__newtcp bool newtcp_diag_sock_attrs(struct sock *sk, struct sk_buff *skb,
				     struct inet_diag_msg *r,
				     const struct netlink_callback *cb,
				     int ext, bool net_admin)
{
	if (inet_diag_msg_attrs_fill(sk, skb, r, ext,
				     sk_user_ns(NETLINK_CB(cb->skb).sk),
				     net_admin))
		return false;
	if (ext & (1 << (INET_DIAG_MEMINFO - 1))) {
		struct inet_diag_meminfo memory = {
			.idiag_rmem = sk_rmem_alloc_get(sk),
			.idiag_wmem = READ_ONCE(sk->sk_wmem_queued),
			.idiag_fmem = READ_ONCE(sk->sk_forward_alloc),
			.idiag_tmem = sk_wmem_alloc_get(sk),
		};

		if (nla_put(skb, INET_DIAG_MEMINFO, sizeof(memory), &memory))
			return false;
	}
	return !(ext & (1 << (INET_DIAG_SKMEMINFO - 1))) ||
	       !sock_diag_put_meminfo(sk, skb, INET_DIAG_SKMEMINFO);
}

__newtcp bool newtcp_diag_put_mark(struct sk_buff *skb, unsigned int mark)
{
	return !nla_put_u32(skb, INET_DIAG_MARK, mark);
}

__newtcp bool newtcp_diag_put_info(struct sk_buff *skb, int len,
				   const void *info)
{
	return !nla_put_64bit(skb, INET_DIAG_INFO, len, info, INET_DIAG_PAD);
}

/* The name of an algorithm, which the asking program wants as a C string. */
__newtcp bool newtcp_diag_put_congestion(struct sk_buff *skb, const char *name,
					 int len)
{
	char text[TCP_CA_NAME_MAX];
	size_t n = min_t(size_t, len, sizeof(text) - 1);

	/* Nothing ends the name but its length. */
	memcpy(text, name, n);
	text[n] = '\0';
	return !nla_put_string(skb, INET_DIAG_CONG, text);
}

/* Room for one answer with all that may be in it. */
__newtcp struct sk_buff *newtcp_diag_answer(int info_len)
{
	return nlmsg_new(nla_total_size_64bit(info_len) +
			 nla_total_size(sizeof(struct inet_diag_msg)) +
			 inet_diag_msg_attrs_size() +
			 nla_total_size(sizeof(struct inet_diag_meminfo)) +
			 nla_total_size(SK_MEMINFO_VARS * sizeof(u32)) +
			 nla_total_size(TCP_CA_NAME_MAX) + 64, GFP_KERNEL);
}

__newtcp int newtcp_diag_send(struct net *net, struct sk_buff *answer,
			      const struct sk_buff *question)
{
	return nlmsg_unicast(net->diag_nlsk, answer,
			     NETLINK_CB(question).portid);
}

__newtcp void newtcp_diag_free(struct sk_buff *answer)
{
	nlmsg_free(answer);
}

/*
 * A request that stands for an entry without a socket, for the functions that
 * read the common part of a socket and no more when the state says so.
 */
__newtcp void newtcp_diag_stand_in(struct inet_request_sock *ireq,
				   struct net *net, bool v4,
				   const struct in6_addr *laddr, u16 lport,
				   const struct in6_addr *raddr, u16 rport,
				   int ifindex, u64 cookie)
{
	struct sock_common *common = &ireq->req.__req_common;

	memset(ireq, 0, sizeof(*ireq));
	write_pnet(&common->skc_net, net);
	common->skc_state = TCP_NEW_SYN_RECV;
	common->skc_family = v4 ? AF_INET : AF_INET6;
	common->skc_num = lport;
	common->skc_dport = htons(rport);
	common->skc_bound_dev_if = ifindex;
	atomic64_set(&common->skc_cookie, cookie);
	if (v4) {
		common->skc_rcv_saddr = laddr->s6_addr32[3];
		common->skc_daddr = raddr->s6_addr32[3];
	}
#if IS_ENABLED(CONFIG_IPV6)
	common->skc_v6_rcv_saddr = *laddr;
	common->skc_v6_daddr = *raddr;
#endif
}

__newtcp u64 newtcp_diag_stand_in_cookie(struct inet_request_sock *ireq)
{
	return atomic64_read(&ireq->req.__req_common.skc_cookie);
}

#endif /* CONFIG_MY_NEWTCP_DIAG */
