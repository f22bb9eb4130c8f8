# SPDX-License-Identifier: GPL-2.0
"""The differences from TCP that are meant. Each says which scripts and calls, by shell
patterns, what TCP and NEW_TCP answer, and why. One that does not show any more fails the
test."""

OOB = "there is no urgent data: MSG_OOB is EOPNOTSUPP on a connection"
LEFT = "TCP computes it from sequence numbers of a connection that is over; here it is 0"
TICKS = "TCP counts these times in ticks: its least is two of them, and it rounds up"
CLAMP = "TCP shows the clamp that it has made up itself; here 0 means that nobody has set one"
SIZE = ("TCP keeps segments below half of the largest window it has seen, and shows a size also "
        "after the end; here it is the size in use, without a connection the default")
TX_REHASH = "flow labels are not changed to find another path; the kernel offers it to TCP only"
ADDRFORM = "the kernel turns only TCP's and UDP's IPv6 sockets into IPv4 ones"

SNDBUF = ("both grow it when the connection is made, to what a window of segments costs in memory; "
          "a segment costs TCP a little more")

SYNS = "one SYN more: RFC 9293, 3.8.3, wants connect to try for three minutes at least"

# Script, call, TCP's answer, NEW_TCP's answer, reason.
EXPLAINED = (
    ("call outqnsd refused", "ioctl c outqnsd", "*", "0", LEFT),
    ("call outqnsd disconnected", "ioctl c outqnsd", "*", "0", LEFT),
    ("send oob *", "send c [03] 1", "[03]", "ENOTSUP", OOB),
    ("option TCP_SYNCNT *", "getsockopt c 6 7", "6", "7", SYNS),
    ("send oob peer-closed", "*", "*", "*", OOB),
    ("SO_SNDBUF connected", "getsockopt c 1 7", "???????", "???????", SNDBUF),
    ("option TCP_MAXSEG *", "getsockopt c 6 2", "3????", "*", SIZE),
    ("option TCP_WINDOW_CLAMP *", "getsockopt c 6 10", "65536", "0", CLAMP),
    ("* TCP_RTO_MIN_US*", "*etsockopt ? 6 45*", "*", "*", TICKS),
    ("* TCP_DELACK_MAX_US*", "*etsockopt ? 6 46*", "*", "*", TICKS),
    ("SO_TXREHASH *", "*etsockopt c 1 74*", "*", "ENOTSUP", TX_REHASH),
    ("IPV6_ADDRFORM *", "*etsockopt c 41 1*", "*", "ENOPROTOOPT", ADDRFORM),
)
