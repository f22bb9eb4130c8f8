// SPDX-License-Identifier: GPL-2.0

//! Many connections at once: what an idle one takes, and what an operation
//! costs among many.

use crate::{
    family::{
        local_address,
        wrong_bytes,
        Transport, //
    },
    meter::{
        Line,
        Meter, //
    },
    peer::Peer,
};
use socket2::Socket;
use std::{
    collections::BTreeMap,
    fs,
    io::{
        self,
        Read,
        Write, //
    },
    os::fd::AsRawFd,
    thread,
    time::{
        Duration,
        Instant, //
    },
};

/// Connections before the measured ones: caches get their first slabs.
const WARM_UP: usize = 64;

/// Parts of a connection's memory below this many bytes are not worth a line.
const WORTH_NAMING: f64 = 16.0;

/// What has not become less for so long is at rest.
const SETTLED_AFTER: Duration = Duration::from_secs(3);

/// The two ends.
type Pair = (Socket, Socket);

/// Allow that many descriptors.
fn raise_limit(descriptors: usize) -> io::Result<()> {
    let limit = libc::rlimit {
        rlim_cur: descriptors as libc::rlim_t,
        rlim_max: descriptors as libc::rlim_t,
    };
    // SAFETY: `limit` is valid for reads and lives through the call.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Open `count` connections to one listener and keep them.
fn open(transport: &Transport, listener: &Socket, count: usize) -> io::Result<Vec<Pair>> {
    let address = local_address(listener)?;
    let mut pairs = Vec::with_capacity(count);
    for _ in 0..count {
        let client = transport.connect(address)?;
        pairs.push((client, listener.accept()?.0));
    }
    Ok(pairs)
}

/// A byte there and another back on each of them.
fn verify(pairs: &mut [Pair]) -> io::Result<()> {
    let mut byte = [0];
    for (number, (client, server)) in pairs.iter_mut().enumerate() {
        let question = [number as u8];
        client.write_all(&question)?;
        server.read_exact(&mut byte)?;
        server.write_all(&[!byte[0]])?;
        client.read_exact(&mut byte)?;
        if byte != [!question[0]] {
            return Err(wrong_bytes());
        }
    }
    Ok(())
}

/// Slab cache -> bytes of its objects in use. Nothing, where the kernel has no
/// such file (it needs SLUB_DEBUG).
fn slabs() -> io::Result<BTreeMap<String, f64>> {
    let mut found = BTreeMap::new();
    let Ok(text) = fs::read_to_string("/proc/slabinfo") else {
        return Ok(found);
    };
    for line in text.lines().skip(2) {
        let mut words = line.split_whitespace();
        let name = words.next().unwrap_or_default();
        let mut number = || words.next().and_then(|word| word.parse::<f64>().ok());
        if let (Some(active), Some(_), Some(size)) = (number(), number(), number()) {
            found.insert(name.to_owned(), active * size);
        }
    }
    Ok(found)
}

/// Bytes of all pages that slab caches hold, and of vmalloc and page tables.
fn kernel_pages() -> io::Result<f64> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let kibibytes: f64 = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| matches!(*name, "Slab" | "VmallocUsed" | "Percpu"))
        .filter_map(|(_, value)| value.split_whitespace().next()?.parse::<f64>().ok())
        .sum();
    Ok(kibibytes * 1024.0)
}

/// Wait until what the kernel holds has not become less for a while: then what was opened is
/// idle, however much it took to open it.
fn settle() -> io::Result<()> {
    let mut least = f64::MAX;
    let mut since = Instant::now();
    while since.elapsed() < SETTLED_AFTER {
        let pages = kernel_pages()?;
        if pages < least {
            (least, since) = (pages, Instant::now());
        }
        thread::sleep(SETTLED_AFTER / 10);
    }
    Ok(())
}

/// `obj_size` of the protocol's socket, as /proc/net/protocols has it.
fn object_size(transport: &Transport) -> io::Result<f64> {
    let name = match (transport.family.name(), transport.ipv6) {
        ("tcp", false) => "TCP",
        ("tcp", true) => "TCPv6",
        _ => "NEW_TCP",
    };
    let text = fs::read_to_string("/proc/net/protocols")?;
    text.lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .find(|words| words.first() == Some(&name))
        .and_then(|words| words.get(1)?.parse().ok())
        .ok_or_else(|| io::Error::other(format!("no {name} in /proc/net/protocols")))
}

/// Open `count` connections and hold them: the work of each, and its memory once it is idle.
pub(crate) fn idle(transport: &Transport, count: usize) -> io::Result<String> {
    raise_limit(2 * (count + WARM_UP) + 64)?;
    let listener = transport.listen(transport.loopback(), 16)?;
    let warm = open(transport, &listener, WARM_UP)?;
    settle()?;
    let (objects, pages, meter) = (slabs()?, kernel_pages()?, Meter::start()?);
    let mut pairs = open(transport, &listener, count)?;
    let cost = meter.stop()?;
    settle()?;
    let (objects_now, pages_now) = (slabs()?, kernel_pages()?);
    verify(&mut pairs)?;
    drop(warm);
    let units = count as f64;
    let mut parts = Vec::new();
    let mut sum = 0.0;
    for (name, bytes) in &objects_now {
        let each = (bytes - objects.get(name).copied().unwrap_or(0.0)) / units;
        sum += each;
        if each >= WORTH_NAMING {
            parts.push((name, each));
        }
    }
    let mut line = Line::new("idle", transport, "connection")
        .cost(cost, count as u64)
        .number("object_bytes", object_size(transport)?)
        .number("page_bytes", (pages_now - pages) / units);
    if !parts.is_empty() {
        line = line.number("slab_bytes", sum);
    }
    for (name, each) in parts {
        line = line.number(&format!("slab:{name}"), each);
    }
    Ok(line.end())
}

/// A server that answers on whichever connection speaks.
fn answer(servers: &mut [Socket], count: u64) -> io::Result<()> {
    // SAFETY: The call takes no memory of ours.
    let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
    if epoll < 0 {
        return Err(io::Error::last_os_error());
    }
    for (number, socket) in servers.iter().enumerate() {
        let mut event = libc::epoll_event {
            events: libc::EPOLLIN as u32,
            u64: number as u64,
        };
        let file = socket.as_raw_fd();
        // SAFETY: `event` is valid for reads and lives through the call.
        if unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, file, &mut event) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    let mut byte = [0];
    for _ in 0..count {
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        // SAFETY: `event` has room for the one event that is asked for.
        if unsafe { libc::epoll_wait(epoll, &mut event, 1, -1) } != 1 {
            return Err(io::Error::last_os_error());
        }
        let socket = servers
            .get_mut(event.u64 as usize)
            .ok_or_else(|| io::Error::other("an event of no connection"))?;
        socket.read_exact(&mut byte)?;
        socket.write_all(&byte)?;
    }
    Ok(())
}

/// One-byte round trips, each on the next of `connections` connections.
pub(crate) fn active(transport: &Transport, connections: usize, count: u64) -> io::Result<String> {
    raise_limit(2 * connections + 64)?;
    let listener = transport.listen(transport.loopback(), 16)?;
    let pairs = open(transport, &listener, connections)?;
    let (mut clients, mut servers): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    let warm_up = (2 * connections as u64).max(count / 10);
    let peer = Peer::fork(move || answer(&mut servers, warm_up + count))?;
    let mut next = 0;
    let mut trips = |number: u64| -> io::Result<()> {
        let mut answer = [0];
        for trip in 0..number {
            let socket = &mut clients[next];
            next = (next + 1) % connections;
            socket.write_all(&[trip as u8])?;
            socket.read_exact(&mut answer)?;
            if answer != [trip as u8] {
                return Err(wrong_bytes());
            }
        }
        Ok(())
    };
    trips(warm_up)?;
    let meter = Meter::start()?;
    trips(count)?;
    let cost = meter.stop()?;
    peer.join()?;
    Ok(Line::new("active", transport, "round trip")
        .number("connections", connections as f64)
        .cost(cost, count)
        .end())
}
