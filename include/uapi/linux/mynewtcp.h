/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * NEW_TCP for programs: the numbers that open a socket and set its options.
 *
 *	fd = socket(AF_INET_NEW_TCP, SOCK_STREAM, 0);			IPv4
 *	fd = socket(AF_INET_NEW_TCP, SOCK_STREAM, NEWTCP_PROTO_INET6);	IPv6
 *
 * Addresses are struct sockaddr_in and struct sockaddr_in6. The guards are for
 * the day a C library knows the names itself.
 */
#ifndef _UAPI_LINUX_MYNEWTCP_H
#define _UAPI_LINUX_MYNEWTCP_H

#if !defined(__KERNEL__) && !defined(_LINUX_IN_H)
#include <netinet/in.h>		/* before <linux/in.h>, or the two collide */
#endif

/**
 * define AF_INET_NEW_TCP - the address family, for socket(2)
 *
 * The addresses of such a socket carry AF_INET or AF_INET6. AF_INET_NEW_TCP in
 * an address that a program passes in means the family of the socket.
 */
#ifndef AF_INET_NEW_TCP
#define AF_INET_NEW_TCP		46
#endif

/**
 * define PF_INET_NEW_TCP - the protocol family, the same number
 */
#ifndef PF_INET_NEW_TCP
#define PF_INET_NEW_TCP		AF_INET_NEW_TCP
#endif

/**
 * define SOL_NEWTCP - the level of the options that only NEW_TCP has
 *
 * The options it shares with TCP keep TCP's numbers at level SOL_TCP.
 */
#ifndef SOL_NEWTCP
#define SOL_NEWTCP		288
#endif

/**
 * define IPPROTO_NEWTCP - the IP protocol number (RFC 3692, experiments)
 *
 * As third argument of socket(2) it opens the same socket through AF_INET and
 * AF_INET6; with AF_INET_NEW_TCP it means what 0 means.
 */
#ifndef IPPROTO_NEWTCP
#define IPPROTO_NEWTCP		253
#endif

/**
 * define NEWTCP_PROTO_INET - third argument of socket(2): IPv4
 */
#define NEWTCP_PROTO_INET	0

/**
 * define NEWTCP_PROTO_INET6 - third argument of socket(2): IPv6, dual stack
 */
#define NEWTCP_PROTO_INET6	1

#endif /* _UAPI_LINUX_MYNEWTCP_H */
