#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Let NEW_TCP talk to hosts that have TCP.

On one device, segments of NEW_TCP leave with TCP's protocol number, and
segments of TCP that belong to NEW_TCP come in with its own. What belongs to
NEW_TCP is said by this host's addresses or ports, or by the peers' addresses;
TCP sees nothing of it any more.
"""

import argparse
import ipaddress
import json
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().with_name("gateway.bpf.c")
# Where our filters are among others of the device: pref and handle.
PLACE = ["pref", "253", "handle", "1", "bpf"]
# Bytes in front of the IP header, by ip(8)'s name of the device's type.
LINK_HEADERS = {"ether": 14, "loopback": 14, "none": 0, "ipip": 0, "sit": 0, "tunnel6": 0}
DIRECTIONS = {"egress": "out", "ingress": "in"}


class Trouble(Exception):
    """What the user has to be told."""


def run(*argv):
    """Run a program; gives its output."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise Trouble(f"{argv[0]} is not installed") from None
    if done.returncode != 0:
        raise Trouble(f"{' '.join(argv[:2])}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def matcher(addresses, version):
    """The C expression that says whether `a` is one of the addresses."""
    if not addresses:
        return "(void)(a), 1"
    tests = []
    for address in addresses:
        if address.version != version:
            continue
        raw = address.packed
        words = [int.from_bytes(raw[at:at + 4], sys.byteorder) for at in range(0, len(raw), 4)]
        places = ["(a)"] if version == 4 else [f"(a)[{number}]" for number in range(4)]
        tests.append(" && ".join(f"{place} == {word:#x}u" for place, word in zip(places, words)))
    return " || ".join(f"({test})" for test in tests) or "0"


def link_header(device):
    """How many bytes are in front of the device's IP headers."""
    kind = json.loads(run("ip", "-j", "link", "show", "dev", device))[0]["link_type"]
    if kind not in LINK_HEADERS:
        raise Trouble(f"{device} is a device of type {kind}, whose header is not known here")
    return LINK_HEADERS[kind]


def definitions(options):
    """What gateway.bpf.c wants to be told."""
    low, high = options.port
    words = {
        "NEWTCP": options.ip_protocol, "LINK_HEADER": link_header(options.device),
        "PORT_MIN": low, "PORT_MAX": high,
        "__section(name)": "__attribute__((section(name), used))",
    }
    for version in (4, 6):
        words[f"LOCAL{version}(a)"] = f"({matcher(options.local, version)})"
        words[f"PEER{version}(a)"] = f"({matcher(options.peer, version)})"
    return [f"-D{name}={value}" for name, value in words.items()]


def has_clsact(device):
    """Does the device have the place where filters of both directions hang?"""
    return "clsact" in run("tc", "qdisc", "show", "dev", device)


def filters(device, direction):
    """The filters of the device in one direction, as tc shows them."""
    return run("tc", "filter", "show", "dev", device, direction) if has_clsact(device) else ""


def is_there(device):
    """Is the gateway on the device?"""
    return any("pref 253 bpf" in filters(device, direction) for direction in DIRECTIONS)


def add(options):
    """Put the gateway on a device."""
    if not (options.local or options.peer or options.port != (0, 65535)):
        raise Trouble("all TCP of this device would go to NEW_TCP; "
                      "say which with --local, --peer or --port")
    if is_there(options.device):
        raise Trouble(f"{options.device} has a gateway; remove it first")
    with tempfile.TemporaryDirectory(prefix="newtcp-gateway-") as home:
        program = Path(home) / "gateway.o"
        translate(options, program)
        attach(options, program)


def translate(options, program):
    """Compile for these choices."""
    run("clang", "--target=bpf", "-O2", "-Wall", "-Wno-compare-distinct-pointer-types",
        "-idirafter", f"/usr/include/{platform.machine()}-linux-gnu",
        *definitions(options), "-c", str(SOURCE), "-o", str(program))


def attach(options, program):
    """Put what was compiled on both directions of the device."""
    if not has_clsact(options.device):
        run("tc", "qdisc", "add", "dev", options.device, "clsact")
    try:
        for direction, section in DIRECTIONS.items():
            run("tc", "filter", "add", "dev", options.device, direction, *PLACE,
                "direct-action", "object-file", str(program), "section", section)
    except Trouble:
        remove(options)
        raise


def remove(options):
    """Take it off."""
    for direction in DIRECTIONS:
        if "pref 253 bpf" in filters(options.device, direction):
            run("tc", "filter", "del", "dev", options.device, direction, "pref", "253")
    if has_clsact(options.device) and not any(
            filters(options.device, direction) for direction in DIRECTIONS):
        run("tc", "qdisc", "del", "dev", options.device, "clsact")


def show(options):
    """Say whether it is there, by words and by status."""
    there = is_there(options.device)
    print(f"{options.device}: {'gateway' if there else 'no gateway'}")
    return 0 if there else 1


def ports(text):
    """LOW or LOW-HIGH."""
    low, _, high = text.partition("-")
    low, high = int(low), int(high or low)
    if not 0 < low <= high <= 65535:
        raise ValueError(text)
    return low, high


def parse(arguments):
    """The command line."""
    parser = argparse.ArgumentParser(prog="gateway", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for verb in (add, remove, show):
        one = verbs.add_parser(verb.__name__, help=verb.__doc__)
        one.set_defaults(verb=verb)
        one.add_argument("device", metavar="DEVICE", help="network device, as eth0")
        if verb is not add:
            continue
        address = ipaddress.ip_address
        one.add_argument("--local", metavar="ADDRESS", type=address, action="append", default=[],
                         help="an address of this host that is NEW_TCP's (may be repeated)")
        one.add_argument("--peer", metavar="ADDRESS", type=address, action="append", default=[],
                         help="a host that NEW_TCP talks to (may be repeated)")
        one.add_argument("--port", metavar="LOW[-HIGH]", type=ports, default=(0, 65535),
                         help="the ports of this host that are NEW_TCP's")
        one.add_argument("--ip-protocol", metavar="N", type=int, default=253,
                         help="NEW_TCP's protocol number (CONFIG_MY_NEWTCP_PROTO)")
    return parser.parse_args(arguments)


def main(arguments):
    """Do it; gives the exit status."""
    options = parse(arguments)
    try:
        return options.verb(options) or 0
    except Trouble as trouble:
        print(f"gateway: {trouble}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
