# SPDX-License-Identifier: GPL-2.0
"""What is on the wire, as tshark sees it."""

import select
import shutil
import socket
import struct

from cases.transfer import scratch
from harness import tools
from harness.context import pattern, receive_exactly
from harness.forge import ACK, FIN, RST, SYN, Builder
from harness.registry import Failure, case, check, check_equal

FIELDS = ("ip.proto", "ipv6.nxt", "tcp.srcport", "tcp.flags", "tcp.len", "tcp.seq",
          "_ws.malformed", "tcp.checksum.status", "mynewtcp.checksum.status",
          "tcp.analysis.retransmission", "tcp.options.mss_val", "_ws.expert.severity")
GOOD = "1"
REFUSED, REFUSED_FROM = 7999, 7998
ERROR = 0x800000


def speak(context):
    """A connection with something each way and an orderly end."""
    client, server = context.connected(7600)
    data = pattern(100000, seed=31)
    client.sendall(data)
    client.shutdown(socket.SHUT_WR)
    check(receive_exactly(server, len(data)) == data, "wrong bytes")
    check_equal(server.recv(1), b"", "the client's end")
    server.sendall(b"thank you")
    server.shutdown(socket.SHUT_WR)
    check_equal(receive_exactly(client, 9), b"thank you", "the answer")
    check_equal(client.recv(1), b"", "the server's end")
    # The server hangs up when its FIN is acknowledged, which is the last segment.
    context.wait_for(server, select.POLLHUP, "the last acknowledgment")


def refused(context):
    """A SYN that is answered with a reset."""
    client = context.socket(context.link.a)
    client.bind(context.address(context.link.a, REFUSED_FROM))
    try:
        client.connect(context.address(context.link.b, REFUSED))
    except ConnectionRefusedError:
        return
    raise Failure("connect to a closed port was not refused")


@case(timeout=60)
def capture_decodes(context):
    """tshark decodes every segment as TCP's, none malformed, every checksum right."""
    tools.need("tshark")
    for side in (context.link.a, context.link.b):
        context.link.offload(side, "tx", "off")
    with scratch() as directory:
        path = directory / "segments.pcap"
        capture = tools.Capture(context, context.link.b, path)
        speak(context)
        refused(context)
        capture.stop(struct.pack(">HH", REFUSED, REFUSED_FROM))
        if context.settings.keep:
            shutil.copy(path, context.settings.keep / f"segments-v{context.version}.pcap")
        frames = tools.dissect(path, FIELDS, context.family)
    inspect(context, frames)


def inspect(context, frames):
    """Check what tshark found."""
    number = "ip.proto" if context.version == 4 else "ipv6.nxt"
    check(len(frames) > 70, f"only {len(frames)} segments were captured")
    for place, frame in enumerate(frames, 1):
        check_equal(frame[number], str(context.family.ip_protocol), f"frame {place}: protocol")
        check_equal(frame["_ws.malformed"], "", f"frame {place}: malformed")
        check_equal(frame["mynewtcp.checksum.status"], GOOD, f"frame {place}: checksum status")
        if context.family.name == "tcp":
            # TCP's own dissector has the last word on what the script says.
            check_equal(frame["tcp.checksum.status"], GOOD, f"frame {place}: TCP's status")
        check(int(frame["_ws.expert.severity"] or 0) < ERROR, f"frame {place}: {frame}")
    check_story(context, frames)


def check_story(context, frames):
    """The flags tell of a handshake, two FINs and a refusal."""
    flags = [int(frame["tcp.flags"], 16) & (SYN | FIN | RST | ACK) for frame in frames]
    check_equal(flags[:3], [SYN, SYN | ACK, ACK], "flags of the handshake")
    talk = [(frame["tcp.srcport"] == "7600", flag) for frame, flag in zip(frames, flags)
            if frame["tcp.srcport"] != str(REFUSED)]
    check_equal(sum(1 for server, flag in talk if flag & FIN and not server), 1,
                "FINs of the client")
    check_equal(sum(1 for server, flag in talk if flag & FIN and server), 1,
                "FINs of the server")
    check_equal(flags[-2:], [SYN, RST | ACK], "flags of the refusal")
    mss = {4: 1460, 6: 1440}[context.version]
    check_equal([int(frame["tcp.options.mss_val"]) for frame in frames[:2]], [mss, mss],
                "MSS options of the handshake")
    payload = sum(int(frame["tcp.len"]) for frame in frames
                  if not frame["tcp.analysis.retransmission"])
    check_equal(payload, 100009, "bytes of payload on the wire")
    longest = max(int(frame["tcp.len"]) for frame in frames)
    check(longest <= mss, f"a segment carries {longest} bytes, more than {mss}")


@case(timeout=30)
def dissector_tells_bad_from_good(context):
    """The Lua script on hand-made packets: good, bad, cut short, too short."""
    sides = {4: ("192.0.2.1", "192.0.2.2"), 6: ("2001:db8::1", "2001:db8::2")}
    builder = Builder(context.version, context.family.ip_protocol, *sides[context.version])
    good = [builder.build(1, 2, seq=7, flags=SYN),
            builder.build(1, 2, ack=0xffffffff, flags=ACK, payload=b"odd"),
            builder.build(65535, 65535, seq=0xffffffff, flags=ACK, payload=b"\xff" * 1000)]
    packets = [(builder.packet(raw), 0) for raw in good]
    packets += [(builder.packet(raw[:-1] + bytes([raw[-1] ^ 1])), 0) for raw in good[1:]]
    packets += [(builder.packet(good[2]), 100), (builder.packet(good[0][:19]), 0)]
    with scratch() as directory:
        path = directory / "made.pcap"
        write_pcap(path, packets)
        frames = tools.dissect(path, ("mynewtcp.checksum.status", "tcp.dstport"), context.family)
    check_equal([frame["mynewtcp.checksum.status"] for frame in frames],
                ["1", "1", "1", "0", "0", "2", ""], "checksum status of the packets")
    check_equal([frame["tcp.dstport"] for frame in frames[:3]], ["2", "2", "65535"],
                "the ports that TCP's dissector found")


def write_pcap(path, packets):
    """A capture file of bare IP packets, each with a number of bytes to cut off."""
    linktype_raw = 101
    with path.open("wb") as file:
        file.write(struct.pack("<IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, linktype_raw))
        for number, (packet, cut) in enumerate(packets):
            kept = packet[:len(packet) - cut]
            file.write(struct.pack("<IIII", number, 0, len(kept), len(packet)) + kept)
