# SPDX-License-Identifier: GPL-2.0
"""Offloads of a device, switched as ethtool -K does it, without a program to start."""

import ctypes
import fcntl
import struct

SIOCETHTOOL = 0x8946
# ethtool's short names, and the command that sets what they stand for.
COMMANDS = {"rx": 0x15, "tx": 0x17, "sg": 0x19, "tso": 0x1f, "gso": 0x24, "gro": 0x2c}
STATES = {"off": 0, "on": 1}


def switch(sock, device, *words):
    """Switch these, name and state in turn, on a device of the socket's namespace."""
    for name, state in zip(words[::2], words[1::2], strict=True):
        value = ctypes.create_string_buffer(struct.pack("=II", COMMANDS[name], STATES[state]))
        fcntl.ioctl(sock, SIOCETHTOOL,
                    struct.pack("16sP16x", device.encode(), ctypes.addressof(value)))
