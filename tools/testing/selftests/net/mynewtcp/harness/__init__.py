# SPDX-License-Identifier: GPL-2.0
"""What every case of the NEW_TCP selftests stands on.

registry   the cases, their parameters, skips and failures
family     TCP or NEW_TCP: how to open a socket of it, and what it is called
netns      network namespaces and the veth link between two of them
rtnetlink  devices, addresses and neighbours of a namespace
offloads   offloads of a device
context    what one case works with; it puts everything away afterwards
proto_row  the family's row in /proc/net/protocols
kernel     what the running kernel was built with
kernel_log the kernel log since a point in time
faults     allocations that fail on demand
forge      hand-made segments on a raw socket
tools      the user-space programs: socat, probe, tcpdump, tshark
runner     runs the selected cases and prints TAP
"""
