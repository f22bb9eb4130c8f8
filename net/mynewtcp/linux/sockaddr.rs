// SPDX-License-Identifier: GPL-2.0

//! Socket addresses as programs write them.

use super::{
    addr::{
        Ip,
        SocketAddr, //
    },
    bindings as b,
    compat::prelude::*, //
};

const AF_INET: u16 = b::AF_INET as u16;
const AF_INET6: u16 = b::AF_INET6 as u16;
const AF_INET_NEW_TCP: u16 = b::AF_INET_NEW_TCP as u16;

/// The length of a `sockaddr_in6` before it had a scope (RFC 2133).
const IN6_LEN_RFC2133: usize = 24;

/// Puts the family of the socket into an address that says AF_INET_NEW_TCP: to a program that
/// knows one family only, that is the family of its socket's addresses too. The C stack knows
/// AF_INET and AF_INET6. True if the address was changed: then the security module has not seen
/// it yet.
///
/// # Safety
///
/// `addr` must be writable for `len` bytes.
pub(super) unsafe fn normalize(addr: *mut b::sockaddr_unsized, len: i32, family: u16) -> bool {
    if len < size_of::<u16>() as i32 {
        return false;
    }
    // SAFETY: By the contract; the family comes first.
    unsafe {
        let place: *mut u16 = addr.cast();
        let changed = place.read_unaligned() == AF_INET_NEW_TCP;
        if changed {
            place.write_unaligned(family);
        }
        changed
    }
}

/// As [`read`], for the socket of a family: an IPv4 socket takes no IPv6 address and the reverse.
///
/// # Safety
///
/// `addr` must be readable for `len` bytes.
pub(super) unsafe fn read_for(
    addr: *const b::sockaddr_unsized,
    len: i32,
    family: u16,
) -> Result<SocketAddr> {
    // SAFETY: By the contract; `read` has checked that a family is there.
    unsafe {
        if family == AF_INET6 && usize::try_from(len)? < IN6_LEN_RFC2133 {
            return Err(EINVAL);
        }
        let parsed = read(addr, len)?;
        if (addr.cast::<u16>().read_unaligned() == AF_INET6) != (family == AF_INET6) {
            return Err(EAFNOSUPPORT);
        }
        Ok(parsed)
    }
}

/// # Safety
///
/// `addr` must be readable for `len` bytes.
pub(super) unsafe fn read(addr: *const b::sockaddr_unsized, len: i32) -> Result<SocketAddr> {
    let len = usize::try_from(len)?;
    if len < size_of::<u16>() {
        return Err(EINVAL);
    }
    // SAFETY: `len` bytes are readable, and each arm checks that they suffice.
    unsafe {
        match addr.cast::<u16>().read_unaligned() {
            AF_INET | AF_INET_NEW_TCP => {
                if len < size_of::<b::sockaddr_in>() {
                    return Err(EINVAL);
                }
                let sin = addr.cast::<b::sockaddr_in>().read_unaligned();
                Ok(SocketAddr {
                    ip: Ip::from_be32(sin.sin_addr.s_addr),
                    port: u16::from_be(sin.sin_port),
                    scope: 0,
                    flowinfo: 0,
                })
            }
            AF_INET6 => {
                if len < IN6_LEN_RFC2133 {
                    return Err(EINVAL);
                }
                let mut sin6: b::sockaddr_in6 = pin_init::zeroed();
                let n = len.min(size_of::<b::sockaddr_in6>());
                core::ptr::copy_nonoverlapping(addr.cast::<u8>(), (&raw mut sin6).cast::<u8>(), n);
                Ok(SocketAddr {
                    ip: Ip::from_octets((&raw const sin6.sin6_addr).cast::<[u8; 16]>().read()),
                    port: u16::from_be(sin6.sin6_port),
                    scope: sin6.sin6_scope_id,
                    flowinfo: u32::from_be(sin6.sin6_flowinfo),
                })
            }
            _ => Err(EAFNOSUPPORT),
        }
    }
}
