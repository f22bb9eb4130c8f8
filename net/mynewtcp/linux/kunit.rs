// SPDX-License-Identifier: GPL-2.0

//! Tests of this floor on a running kernel: sockets as the kernel's own users have them, over the
//! loopback device, and what remains when they are gone.

use super::{
    addr::{
        Ip,
        SocketAddr, //
    },
    bindings as b,
    compat::prelude::*,
    memory,
    skb::alloc_control, //
};
use core::ptr::null_mut;
use kernel::error::to_result;

/// A socket of the kernel's, closed when dropped.
struct KernelSocket(*mut b::socket);

impl KernelSocket {
    fn new(protocol: i32) -> Result<Self> {
        let mut sock = null_mut();
        // SAFETY: `init_net` lives for ever; the out pointer is valid.
        to_result(unsafe {
            b::sock_create_kern(
                &raw mut b::init_net,
                b::AF_INET_NEW_TCP as i32,
                b::NEWTCP_SOCK_STREAM as i32,
                protocol,
                &raw mut sock,
            )
        })?;
        Ok(Self(sock))
    }

    /// To 127.0.0.1 or from it.
    fn loopback(port: u16) -> b::sockaddr_in {
        b::sockaddr_in {
            sin_family: b::AF_INET as u16,
            sin_port: port.to_be(),
            sin_addr: b::in_addr {
                s_addr: Ip::V4_LOOPBACK.be32(),
            },
            ..pin_init::zeroed()
        }
    }

    fn bind(&self, port: u16) -> Result {
        let mut addr = Self::loopback(port);
        // SAFETY: The socket is open, the address valid for its length.
        to_result(unsafe {
            b::kernel_bind(
                self.0,
                (&raw mut addr).cast(),
                size_of::<b::sockaddr_in>() as i32,
            )
        })
    }

    fn listen(&self) -> Result {
        // SAFETY: The socket is open.
        to_result(unsafe { b::kernel_listen(self.0, 4) })
    }

    fn connect(&self, port: u16) -> Result {
        let mut addr = Self::loopback(port);
        // SAFETY: The socket is open, the address valid for its length.
        to_result(unsafe {
            b::kernel_connect(
                self.0,
                (&raw mut addr).cast(),
                size_of::<b::sockaddr_in>() as i32,
                0,
            )
        })
    }

    fn accept(&self) -> Result<Self> {
        let mut sock = null_mut();
        // SAFETY: The socket is open; the out pointer is valid.
        to_result(unsafe { b::kernel_accept(self.0, &raw mut sock, 0) })?;
        Ok(Self(sock))
    }

    fn port(&self) -> Result<u16> {
        let mut addr: b::sockaddr_in6 = pin_init::zeroed();
        // SAFETY: The socket is open; there is room for an address of either kind.
        let len = unsafe { b::kernel_getsockname(self.0, (&raw mut addr).cast()) };
        to_result(len.min(0))?;
        Ok(u16::from_be(addr.sin6_port))
    }

    fn send(&self, bytes: &mut [u8]) -> Result<usize> {
        let mut msg = b::msghdr::default();
        let mut vec = b::kvec {
            iov_base: bytes.as_mut_ptr().cast(),
            iov_len: bytes.len(),
        };
        // SAFETY: The socket is open, the vector valid.
        let n = unsafe { b::kernel_sendmsg(self.0, &raw mut msg, &raw mut vec, 1, bytes.len()) };
        to_result(n.min(0))?;
        Ok(n as usize)
    }

    fn recv(&self, bytes: &mut [u8], flags: u32) -> Result<usize> {
        let mut msg = b::msghdr::default();
        let mut vec = b::kvec {
            iov_base: bytes.as_mut_ptr().cast(),
            iov_len: bytes.len(),
        };
        // SAFETY: The socket is open, the vector valid.
        let n = unsafe {
            b::kernel_recvmsg(
                self.0,
                &raw mut msg,
                &raw mut vec,
                1,
                bytes.len(),
                flags as i32,
            )
        };
        to_result(n.min(0))?;
        Ok(n as usize)
    }
}

impl Drop for KernelSocket {
    fn drop(&mut self) {
        // SAFETY: The socket is open and this is its only user.
        unsafe { b::sock_release(self.0) };
    }
}

/// Waits until closed sockets have been freed: each takes a grace period.
fn settle() {
    // SAFETY: Process context.
    unsafe {
        b::synchronize_rcu();
        b::rcu_barrier();
    }
}

/// A socket bound to a port of 127.0.0.1, with the loopback device up.
fn bound() -> Result<KernelSocket> {
    // SAFETY: Process context.
    to_result(unsafe { b::newtcp_loopback_up() })?;
    let sock = KernelSocket::new(0)?;
    sock.bind(0)?;
    Ok(sock)
}

/// A listener, a socket connected to it, and what it has accepted.
fn pair() -> Result<(KernelSocket, KernelSocket, KernelSocket)> {
    let listener = bound()?;
    listener.listen()?;
    let client = KernelSocket::new(i32::from(super::proto::IP_PROTOCOL))?;
    client.connect(listener.port()?)?;
    let server = listener.accept()?;
    Ok((listener, client, server))
}

#[kunit_tests(mynewtcp_floor)]
mod tests {
    use super::*;

    #[test]
    fn addresses_know_their_family() {
        let v4 = Ip::from_v4([192, 0, 2, 1]);
        assert!(v4.is_v4());
        assert_eq!(v4.v4(), Some([192, 0, 2, 1]));
        assert!(!Ip::V6_LOOPBACK.is_v4());
        assert!(Ip::V4_ANY.is_unspecified() && Ip::V6_ANY.is_unspecified());
        assert!(Ip::from_v4([224, 0, 0, 1]).is_multicast());
        let mut link_local = [0; 16];
        link_local[0] = 0xfe;
        link_local[1] = 0x80;
        assert!(Ip::from_octets(link_local).is_link_local());
        assert!(Ip::from_be32(v4.be32()) == v4);
        assert_eq!(SocketAddr::default().port, 0);
    }

    #[test]
    fn a_pair_moves_bytes_and_leaves_nothing() -> Result {
        drop(bound()?);
        settle();
        let (pages, sockets) = (memory::exact_pages(), memory::sockets());
        {
            let (_listener, client, server) = pair()?;
            let mut out = KVec::from_elem(0x5au8, 20_000, GFP_KERNEL)?;
            let mut back = KVec::from_elem(0u8, 20_000, GFP_KERNEL)?;
            assert_eq!(client.send(&mut out)?, 20_000);
            assert_eq!(server.recv(&mut back, b::MSG_WAITALL)?, 20_000);
            assert!(out[..] == back[..]);
            assert!(memory::sockets() > sockets);
        }
        settle();
        assert_eq!(memory::sockets(), sockets);
        assert_eq!(memory::exact_pages(), pages);
        Ok(())
    }

    #[test]
    fn unread_bytes_are_charged_and_given_back() -> Result {
        drop(bound()?);
        settle();
        let pages = memory::exact_pages();
        {
            let (_listener, client, _server) = pair()?;
            let mut out = KVec::from_elem(1u8, 60_000, GFP_KERNEL)?;
            assert_eq!(client.send(&mut out)?, 60_000);
            assert!(memory::exact_pages() > pages);
        }
        settle();
        assert_eq!(memory::exact_pages(), pages);
        Ok(())
    }

    #[test]
    fn a_spare_packet_weighs_what_a_new_one_does() -> Result {
        const MUCH: u32 = 1 << 20;
        let used = alloc_control().ok_or(ENOMEM)?;
        // SAFETY: The packet is ours.
        unsafe { (*used.as_raw()).truesize += MUCH };
        used.reuse();
        // More than there are spare ones.
        let packets: [_; 8] = core::array::from_fn(|_| alloc_control());
        for packet in &packets {
            assert!(packet.as_ref().ok_or(ENOMEM)?.truesize() < MUCH);
        }
        Ok(())
    }

    #[test]
    fn a_port_has_one_owner() -> Result {
        let first = bound()?;
        let second = KernelSocket::new(0)?;
        assert_eq!(second.bind(first.port()?).err(), Some(EADDRINUSE));
        drop(first);
        second.bind(0)?;
        Ok(())
    }

    #[test]
    fn nobody_listens() -> Result {
        let unused = bound()?;
        let client = KernelSocket::new(0)?;
        assert_eq!(client.connect(unused.port()?).err(), Some(ECONNREFUSED));
        Ok(())
    }

    #[test]
    fn protocol_numbers_are_checked() {
        assert_eq!(KernelSocket::new(6).err(), Some(EPROTONOSUPPORT));
        assert!(KernelSocket::new(0).is_ok());
    }
}
