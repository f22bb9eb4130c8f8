// SPDX-License-Identifier: GPL-2.0

//! The two bits of the IP header that routers mark (RFC 3168, section 5).

/// The ECN field: the low two bits of IPv4's type of service and of IPv6's traffic class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Ecn {
    /// The sender does not know ECN.
    #[default]
    NotEct = 0,
    /// ECN-capable, ECT(1).
    Ect1 = 1,
    /// ECN-capable, ECT(0): what we send.
    Ect0 = 2,
    /// A router has met congestion.
    Ce = 3,
}

impl Ecn {
    /// The field of a type of service or traffic class.
    pub const fn from_tos(tos: u8) -> Self {
        match tos & 3 {
            0 => Self::NotEct,
            1 => Self::Ect1,
            2 => Self::Ect0,
            _ => Self::Ce,
        }
    }

    /// The two bits.
    pub const fn bits(self) -> u8 {
        self as u8
    }

    /// A router may mark it instead of dropping it.
    pub const fn is_capable(self) -> bool {
        match self {
            Self::NotEct => false,
            Self::Ect0 | Self::Ect1 | Self::Ce => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_those_of_the_standard() {
        for bits in 0..4 {
            assert_eq!(Ecn::from_tos(0xfc | bits).bits(), bits);
        }
        assert_eq!(Ecn::from_tos(0b10), Ecn::Ect0);
        assert!(Ecn::Ce.is_capable() && !Ecn::NotEct.is_capable());
    }
}
