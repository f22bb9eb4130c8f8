/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __NETNS_MYNEWTCP_H__
#define __NETNS_MYNEWTCP_H__

struct ctl_table;
struct ctl_table_header;

/**
 * struct netns_mynewtcp - what NEW_TCP keeps per network namespace
 * @sysctl_wmem: net.mynewtcp.wmem, send buffer in bytes: min, default, max.
 *	struct proto finds it through sysctl_wmem_offset, so it has to be here
 *	and not in memory that struct net only points to.
 * @sysctl_rmem: net.mynewtcp.rmem, receive buffer in bytes, same form,
 *	found through sysctl_rmem_offset.
 * @sysctl_table: this namespace's copy of the sysctl table.
 * @sysctl_header: its registration.
 * @private: the namespace object of the Rust side, NULL outside its life.
 */
struct netns_mynewtcp {
	int			sysctl_wmem[3];
	int			sysctl_rmem[3];
	struct ctl_table	*sysctl_table;
	struct ctl_table_header	*sysctl_header;
	void			*private;
};

#endif /* __NETNS_MYNEWTCP_H__ */
