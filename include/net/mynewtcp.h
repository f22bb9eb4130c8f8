/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _NET_MYNEWTCP_H
#define _NET_MYNEWTCP_H

struct sk_buff;

/**
 * newtcp_early_demux - find the socket of a packet before its route
 * @skb: a NEW_TCP packet that has neither socket nor route, with its network
 *	and transport header offsets set
 *
 * Called by the input of IPv4 and IPv6 in softirq, under RCU. If there is a
 * connection for the packet, skb->sk is that, without a reference, and the
 * packet gets the route by which the connection's last one came if that is
 * still good. May change skb->head.
 */
void newtcp_early_demux(struct sk_buff *skb);

#endif /* _NET_MYNEWTCP_H */
