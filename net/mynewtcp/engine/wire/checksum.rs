// SPDX-License-Identifier: GPL-2.0

//! The Internet checksum (RFC 1071) with its pseudo-header (RFC 9293, 3.1; RFC 8200, 8.1).

/// A one's complement sum under way.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum(u64);

/// The two addresses that the pseudo-header covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// IPv4 source and destination.
    V4([u8; 4], [u8; 4]),
    /// IPv6 source and destination.
    V6([u8; 16], [u8; 16]),
}

impl Sum {
    /// Begins with the pseudo-header of a segment of `len` octets of IP protocol `protocol`.
    pub fn pseudo_header(addresses: Addresses, protocol: u8, len: u32) -> Self {
        let sum = match addresses {
            Addresses::V4(src, dst) => Self::default().plus(&src).plus(&dst),
            Addresses::V6(src, dst) => Self::default().plus(&src).plus(&dst),
        };
        sum.plus(&len.to_be_bytes()).plus(&[0, protocol])
    }

    /// Adds octets. Only the last piece may have an odd length.
    #[must_use]
    pub fn plus(self, bytes: &[u8]) -> Self {
        let pairs = bytes.chunks_exact(2);
        let tail = match *pairs.remainder() {
            [last] => u64::from(last) << 8,
            _ => 0,
        };
        let sum = pairs.fold(self.0.wrapping_add(tail), |sum, pair| match *pair {
            [a, b] => sum.wrapping_add(u64::from(u16::from_be_bytes([a, b]))),
            _ => sum,
        });
        Self(sum)
    }

    /// The checksum of what was added: 0 if what was added held its own right checksum.
    pub const fn finish(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !(sum as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 1071, section 3.
    #[test]
    fn rfc_1071_example() {
        let sum = Sum::default().plus(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
        assert_eq!(sum.finish(), !0xddf2);
    }

    #[test]
    fn segment_with_its_checksum_sums_to_zero() {
        let addresses = Addresses::V4([10, 0, 0, 1], [10, 0, 0, 2]);
        let mut bytes = *b"\x00\x07\x00\x09\x00\x00 of an odd length";
        let at = 4;
        let start = Sum::pseudo_header(addresses, 253, bytes.len() as u32);
        let checksum = start.plus(&bytes).finish();
        bytes[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
        assert_eq!(start.plus(&bytes).finish(), 0);
        bytes[0] ^= 1;
        assert_ne!(start.plus(&bytes).finish(), 0);
    }

    #[test]
    fn protocol_and_addresses_are_covered() {
        let a = Sum::pseudo_header(Addresses::V6([1; 16], [2; 16]), 253, 20);
        let b = Sum::pseudo_header(Addresses::V6([1; 16], [2; 16]), 6, 20);
        let c = Sum::pseudo_header(Addresses::V6([1; 16], [3; 16]), 253, 20);
        assert_ne!(a.finish(), b.finish());
        assert_ne!(a.finish(), c.finish());
    }
}
