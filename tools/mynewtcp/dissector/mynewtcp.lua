-- SPDX-License-Identifier: GPL-2.0
--
-- NEW_TCP for Wireshark and tshark. A segment has TCP's header, so TCP's
-- dissector shows it; only the pseudo-header of the checksum differs in its
-- protocol number. TCP's dissector always computes with 6, so the checksum is
-- verified here and shown as mynewtcp.checksum.status.

local MIN_HEADER = 20
local CHECKSUM_OFFSET = 16

local newtcp = Proto("mynewtcp", "NEW_TCP")

newtcp.prefs.protocol = Pref.uint("IP protocol number", 253,
	"CONFIG_MY_NEWTCP_PROTO of the kernel that sent the packets")

-- The numbers that Wireshark's own *.checksum.status fields use.
local STATUS = { BAD = 0, GOOD = 1, UNVERIFIED = 2, NOT_PRESENT = 3 }
local STATUS_NAMES = {
	[STATUS.BAD] = "Bad",
	[STATUS.GOOD] = "Good",
	[STATUS.UNVERIFIED] = "Unverified",
	[STATUS.NOT_PRESENT] = "Not present",
}

local field = {
	checksum = ProtoField.uint16("mynewtcp.checksum", "Checksum", base.HEX),
	status = ProtoField.uint8("mynewtcp.checksum.status", "Checksum status",
		base.DEC, STATUS_NAMES),
	expected = ProtoField.uint16("mynewtcp.checksum.calculated",
		"Calculated checksum", base.HEX),
}
newtcp.fields = { field.checksum, field.status, field.expected }

local bad_checksum = ProtoExpert.new("mynewtcp.checksum.bad.expert",
	"Bad checksum", expert.group.CHECKSUM, expert.severity.ERROR)
local short_header = ProtoExpert.new("mynewtcp.header.short",
	"Header is shorter than 20 bytes", expert.group.MALFORMED, expert.severity.ERROR)
newtcp.experts = { bad_checksum, short_header }

local tcp = Dissector.get("tcp")
local ip_source, ip_destination = Field.new("ip.src"), Field.new("ip.dst")
local ip6_source, ip6_destination = Field.new("ipv6.src"), Field.new("ipv6.dst")

-- The one's complement sum of the range's 16-bit words, not yet folded.
local function sum_of(range)
	local bytes = range:bytes()
	local length = bytes:len()
	local sum = 0
	for offset = 0, length - 2, 2 do
		sum = sum + bytes:get_index(offset) * 256 + bytes:get_index(offset + 1)
	end
	if length % 2 == 1 then
		sum = sum + bytes:get_index(length - 1) * 256
	end
	return sum
end

local function folded(sum)
	while sum > 0xffff do
		sum = sum % 0x10000 + math.floor(sum / 0x10000)
	end
	return sum
end

-- Source and destination of the innermost IP header seen so far: behind a
-- tunnel header, or in an ICMP error that quotes a packet, it is the last one.
local function innermost(infos4, infos6)
	local four, six = infos4[#infos4], infos6[#infos6]
	if six and (not four or six.offset > four.offset) then
		return six
	end
	return four
end

local function address_sum()
	local source = innermost({ ip_source() }, { ip6_source() })
	local destination = innermost({ ip_destination() }, { ip6_destination() })
	return sum_of(source.range) + sum_of(destination.range)
end

-- What the checksum field should hold, given what it holds now.
local function calculated(tvb, found)
	local length = tvb:reported_len()
	local pseudo = address_sum() + newtcp.prefs.protocol + length % 0x10000 + math.floor(length / 0x10000)
	return 0xffff - folded(pseudo + sum_of(tvb:range(0, length)) - found)
end

local function show_checksum(tvb, pinfo, tree)
	local range = tvb:range(CHECKSUM_OFFSET, 2)
	local found = range:uint()
	tree:add(field.checksum, range)
	-- A fragment, or a packet that the capture cut short, cannot be verified.
	if tvb:len() < tvb:reported_len() or pinfo.fragmented then
		tree:add(field.status, range, STATUS.UNVERIFIED):set_generated()
		return
	end
	local expected = calculated(tvb, found)
	if expected == found then
		tree:add(field.status, range, STATUS.GOOD):set_generated()
		return
	end
	tree:add(field.status, range, STATUS.BAD):set_generated()
	tree:add(field.expected, range, expected):set_generated()
	tree:add_proto_expert_info(bad_checksum)
end

function newtcp.dissector(tvb, pinfo, root)
	local tree = root:add(newtcp, tvb:range())
	if tvb:len() < MIN_HEADER then
		tree:add_proto_expert_info(short_header)
		return tvb:len()
	end
	show_checksum(tvb, pinfo, tree)
	tcp:call(tvb, pinfo, root)
	pinfo.cols.protocol:set("NEW_TCP")
	return tvb:len()
end

-- IPv6 looks up its next header in the same table.
local registered
local function register()
	local protocols = DissectorTable.get("ip.proto")
	if registered then
		protocols:remove(registered, newtcp)
	end
	registered = newtcp.prefs.protocol
	protocols:add(registered, newtcp)
end

newtcp.prefs_changed = register
register()
