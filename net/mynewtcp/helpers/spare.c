// SPDX-License-Identifier: GPL-2.0
/*
 * Packets without payload, and buffers of payload that has been acknowledged.
 * Between two sockets of one host they live for a few microseconds; each CPU
 * keeps a few that are used up for those that are sent next.
 */

#include <trace/events/skb.h>

/* A packet with room for headers. */
__newtcp struct sk_buff *newtcp_alloc_control(unsigned int room, gfp_t gfp)
{
	struct sk_buff *skb = NULL;
	int i;

	for (i = 0; i < NEWTCP_SPARES && !skb; i++)
		if (this_cpu_read(newtcp_spares[i]))
			skb = this_cpu_xchg(newtcp_spares[i], NULL);
	if (!skb)
		skb = alloc_skb(room, gfp);
	if (skb)
		skb_reserve(skb, room);
	return skb;
}

/* Nobody else has the packet or its head, both are as alloc_skb() makes them,
 * and nothing hangs on it.
 */
__newtcp bool newtcp_may_be_spare(struct sk_buff *skb, unsigned int room)
{
	const struct skb_shared_info *info = skb_shinfo(skb);

	if (skb->cloned || skb->fclone != SKB_FCLONE_UNAVAILABLE ||
	    skb->head_frag || skb->pp_recycle || skb->pfmemalloc ||
	    skb->data_len || skb->destructor || skb_has_extensions(skb) ||
	    skb_nfct(skb) || info->flags || info->nr_frags || info->frag_list)
		return false;
	return refcount_read(&skb->users) == 1 &&
		atomic_read(&info->dataref) == 1 &&
		skb_end_offset(skb) >= room &&
		skb_end_offset(skb) <= 2 * room;
}

/* As alloc_skb() leaves it. */
__newtcp void newtcp_renew_skb(struct sk_buff *skb)
{
	struct skb_shared_info *info = skb_shinfo(skb);

	skb_dst_drop(skb);
	memset(skb, 0, 128);
	barrier();
	memset((void *)skb + 128, 0, offsetof(struct sk_buff, tail) - 128);
	skb->data = skb->head;
	skb_reset_tail_pointer(skb);
	skb->mac_header = (typeof(skb->mac_header))~0U;
	skb->transport_header = (typeof(skb->transport_header))~0U;
	skb->alloc_cpu = raw_smp_processor_id();
	/* Who had it may have counted more. */
	skb->truesize = SKB_TRUESIZE(skb_end_offset(skb));
	memset(info, 0, offsetof(struct skb_shared_info, dataref));
}

/* Frees a packet that has been used up, or keeps it as a spare one. */
__newtcp void newtcp_reuse_skb(struct sk_buff *skb, unsigned int room)
{
	int i;

	if (trace_consume_skb_enabled() || !newtcp_may_be_spare(skb, room)) {
		consume_skb(skb);
		return;
	}
	for (i = 0; i < NEWTCP_SPARES; i++) {
		if (this_cpu_read(newtcp_spares[i]))
			continue;
		newtcp_renew_skb(skb);
		skb = this_cpu_xchg(newtcp_spares[i], skb);
		break;
	}
	/* None, unless an interrupt was faster. */
	if (skb)
		consume_skb(skb);
}

/* A payload skb counts its own head, so that splitting adds up. */
static inline void newtcp_payload_weighs_head(struct sk_buff *skb)
{
	skb->truesize = SKB_TRUESIZE(skb_end_offset(skb));
}

/* An skb for payload in pages, with so much room in front of it, whose clones
 * may write there.
 */
__newtcp struct sk_buff *newtcp_alloc_payload(unsigned int room, gfp_t gfp)
{
	struct sk_buff *skb;

	if (this_cpu_read(newtcp_spare_payload)) {
		skb = this_cpu_xchg(newtcp_spare_payload, NULL);
		if (likely(skb))
			return skb;
	}
	skb = alloc_skb_fclone(room, gfp);
	if (!skb)
		return NULL;
	newtcp_payload_weighs_head(skb);
	/* Or every byte would be summed while it is copied from the user. */
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb_reserve(skb, room);
	__skb_header_release(skb);
	return skb;
}

/* Whether nobody else has skb, its clone or its head, and it is as
 * newtcp_alloc_payload() makes them but for its payload.
 */
static inline bool newtcp_payload_is_plain(const struct sk_buff *skb,
					   unsigned int room)
{
	const struct skb_shared_info *shinfo = skb_shinfo(skb);

	return skb->fclone == SKB_FCLONE_ORIG &&
		refcount_read(&container_of(skb, struct sk_buff_fclones,
					    skb1)->fclone_ref) == 1 &&
		refcount_read(&skb->users) == 1 && skb->nohdr &&
		atomic_read(&shinfo->dataref) == (1 << SKB_DATAREF_SHIFT) + 1 &&
		!(shinfo->flags | shinfo->tx_flags) && !shinfo->frag_list &&
		!skb->pfmemalloc && !skb->head_frag && !skb->pp_recycle &&
		!skb->sk && !skb->destructor && !skb->_skb_refdst &&
		skb_headroom(skb) == room && !skb_headlen(skb);
}

/* The payload of skb is used up: who sends next on this CPU may have the skb,
 * unless there is one for him.
 */
__newtcp void newtcp_payload_done(struct sk_buff *skb, unsigned int room)
{
	struct skb_shared_info *shinfo = skb_shinfo(skb);
	int i;

	if (this_cpu_read(newtcp_spare_payload) ||
	    trace_consume_skb_enabled() || !newtcp_payload_is_plain(skb, room)) {
		consume_skb(skb);
		return;
	}
	/* What others did with the skb they have done. */
	smp_rmb();
	for (i = 0; i < shinfo->nr_frags; i++)
		__skb_frag_unref(&shinfo->frags[i], false);
	memset(shinfo, 0, offsetof(struct skb_shared_info, dataref));
	skb->len = 0;
	skb->data_len = 0;
	skb->cloned = 0;
	skb->alloc_cpu = raw_smp_processor_id();
	newtcp_payload_weighs_head(skb);
	if (this_cpu_cmpxchg(newtcp_spare_payload, NULL, skb))
		consume_skb(skb);
}
