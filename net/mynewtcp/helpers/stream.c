// SPDX-License-Identifier: GPL-2.0
/* What a stream's reader, writer and administrator ask of the stack. */

__newtcp int newtcp_peek_offset(const struct sock *sk, int flags)
{
	return sk_peek_offset(sk, flags);
}

__newtcp void newtcp_peek_offset_bwd(struct sock *sk, int n)
{
	sk_peek_offset_bwd(sk, n);
}

__newtcp void newtcp_peek_offset_fwd(struct sock *sk, int n)
{
	sk_peek_offset_fwd(sk, n);
}

__newtcp bool newtcp_has_backlog(const struct sock *sk)
{
	return READ_ONCE(sk->sk_backlog.tail);
}

__newtcp bool newtcp_holds_much(const struct sock *sk)
{
	return sk->sk_wmem_queued > SOCK_MIN_SNDBUF;
}

__newtcp bool newtcp_is_host_exhausted(const struct sock *sk)
{
	return sk_memory_allocated(sk) > sk_prot_mem_limits(sk, 2);
}

__newtcp void newtcp_send_sigpipe(void)
{
	send_sig(SIGPIPE, current, 0);
}

__newtcp bool newtcp_proc_create(struct net *net, const char *name,
				 int (*show)(struct seq_file *, void *))
{
	return !IS_ENABLED(CONFIG_PROC_FS) ||
	       proc_create_net_single(name, 0444, net->proc_net, show, NULL);
}

__newtcp void newtcp_proc_remove(struct net *net, const char *name)
{
	remove_proc_entry(name, net->proc_net);
}

__newtcp struct net *newtcp_seq_net(struct seq_file *seq)
{
	return seq_file_single_net(seq);
}
