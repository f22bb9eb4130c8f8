// SPDX-License-Identifier: GPL-2.0

//! `/proc/net/mynewtcp` and `/proc/net/mynewtcp6`: one line for each socket, half-open
//! connection and connection in TIME-WAIT, in the form of `/proc/net/tcp`
//! (Documentation/networking/proc_net_tcp.rst).
//!
//! The file is read in elements: the heading, then each bucket of the listeners' and of the
//! connections' table.

use super::{
    addr::{
        Flow,
        Ip, //
    },
    bindings as b,
    demux::{
        self,
        Entry,
        Shelf, //
    },
    facts::Facts,
    net::Net,
    proto::Protocol,
    state::LISTEN,
    statics::Statics, //
};
use core::ptr::null_mut;
use kernel::{
    ffi,
    fmt,
    prelude::*,
    seq_file::SeqFile,
    str::CStr, //
};

/// The two files.
const FILES: [&CStr; 2] = [c"mynewtcp", c"mynewtcp6"];
/// Characters in a line: so many as its longest can have.
const WIDTH4: u32 = 149;
const WIDTH6: u32 = 180;

/// The columns of a socket that only a connection has.
#[derive(Clone, Copy, Default)]
pub(crate) struct Columns {
    /// Retransmission time-out in clock ticks.
    pub(crate) rto: u64,
    /// Delayed acknowledgment time-out in clock ticks.
    pub(crate) ato: u64,
    /// Acknowledgments are sent at once (twice that), or wait for data to travel with (1).
    pub(crate) ack_mode: u32,
    /// Congestion window in segments.
    pub(crate) cwnd: u32,
    /// Slow start threshold in segments, -1 before there is one.
    pub(crate) ssthresh: i32,
}

/// `struct seq_operations` of the file for IPv4 or for IPv6.
pub(super) const fn table<E: Protocol, const V6: bool>() -> b::seq_operations {
    let mut ops: b::seq_operations = pin_init::zeroed();
    ops.start = Some(start::<E>);
    ops.next = Some(next::<E>);
    ops.stop = Some(stop);
    ops.show = Some(show::<E, V6>);
    ops
}

/// Makes the files of a namespace.
pub(super) fn register<E: Protocol>(net: &Net) -> Result {
    let statics: &Statics<E> = E::statics();
    let tables = [statics.seq4.get(), statics.seq6.get()];
    for (n, (name, ops)) in FILES.iter().zip(tables).enumerate() {
        // SAFETY: The namespace is live, name and operations are static.
        if !unsafe { b::newtcp_proc_create_table(net.as_raw(), name.as_char_ptr(), ops) } {
            remove(net, n);
            return Err(ENOMEM);
        }
    }
    Ok(())
}

/// Removes the files of a namespace, and waits for their readers.
pub(super) fn unregister(net: &Net) {
    remove(net, FILES.len());
}

fn remove(net: &Net, how_many: usize) {
    for name in FILES.iter().take(how_many) {
        // SAFETY: The namespace is live, and the file was made.
        unsafe { b::newtcp_proc_remove_table(net.as_raw(), name.as_char_ptr()) };
    }
}

/// Element `at` as the pointer that the C code hands around; `None` behind the last.
fn element<E: Protocol>(at: i64) -> *mut ffi::c_void {
    let tables = demux::demux::<E>();
    let buckets = tables.buckets(Shelf::Listeners) + tables.buckets(Shelf::Connections);
    match usize::try_from(at) {
        Ok(at) if at <= buckets => core::ptr::without_provenance_mut(at + 1),
        Ok(_) | Err(_) => null_mut(),
    }
}

unsafe extern "C" fn start<E: Protocol>(
    _: *mut b::seq_file,
    pos: *mut b::loff_t,
) -> *mut ffi::c_void {
    // SAFETY: The position of the reader.
    element::<E>(unsafe { *pos })
}

unsafe extern "C" fn next<E: Protocol>(
    _: *mut b::seq_file,
    _: *mut ffi::c_void,
    pos: *mut b::loff_t,
) -> *mut ffi::c_void {
    // SAFETY: The position of the reader.
    unsafe {
        *pos += 1;
        element::<E>(*pos)
    }
}

unsafe extern "C" fn stop(_: *mut b::seq_file, _: *mut ffi::c_void) {}

/// A reader of one of the files.
struct Reader<'a> {
    seq: *mut b::seq_file,
    out: &'a SeqFile,
    v6: bool,
}

impl Reader<'_> {
    /// One line of the file's length.
    fn line(&self, text: fmt::Arguments<'_>) {
        let width = if self.v6 { WIDTH6 } else { WIDTH4 };
        // SAFETY: The file is being shown.
        unsafe { b::newtcp_seq_line(self.seq, width) };
        self.out.call_printf(text);
        // SAFETY: As above.
        unsafe { b::newtcp_seq_line_end(self.seq) };
    }

    fn heading(&self) {
        if self.v6 {
            self.line(fmt!(
                "  sl  local_address                         remote_address                        \
                 st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
            ));
        } else {
            self.line(fmt!(
                "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  \
                 timeout inode"
            ));
        }
    }

    /// Shows an entry if it belongs into this file.
    fn entry<E: Protocol>(&self, number: u32, entry: &Entry<E>) -> bool {
        let (flow, facts, v6) = match entry {
            Entry::Sock(sock) => {
                let (facts, columns) = sock.look(|sk| (E::facts(sk), E::columns(sk)));
                if sock.is_v6() != self.v6 {
                    return false;
                }
                let sk = sock.as_raw();
                // SAFETY: The socket is live, the file is being shown.
                let (uid, inode, refs) = unsafe {
                    (
                        b::newtcp_sock_uid(sk, self.seq),
                        b::newtcp_sock_ino(sk),
                        b::newtcp_sock_refs(sk),
                    )
                };
                let tail = Tail {
                    uid,
                    inode,
                    refs,
                    columns: Some(columns),
                };
                self.row(number, &sock.flow(), &facts, &tail);
                return true;
            }
            Entry::Request(mini) => (mini.flow(), E::request_facts(mini), !mini.flow().is_v4()),
            Entry::TimeWait(mini) => (mini.flow(), E::time_wait_facts(mini), !mini.flow().is_v4()),
        };
        if v6 == self.v6 {
            self.row(number, flow, &facts, &Tail::default());
        }
        v6 == self.v6
    }

    fn row(&self, number: u32, flow: &Flow, facts: &Facts, tail: &Tail) {
        // What a listener's other limit is, these files do not show.
        let wqueue = if facts.state == LISTEN {
            0
        } else {
            facts.wqueue
        };
        let ticks = u64::from(facts.expires_ms) / 10;
        self.line(fmt!(
            "{:4}: {}:{:04X} {}:{:04X} {:02X} {:08X}:{:08X} {:02X}:{:08X} {:08X} {:5} {:8} {} {} \
             0000000000000000{}",
            number,
            Hex(&flow.laddr, self.v6),
            flow.lport,
            Hex(&flow.raddr, self.v6),
            flow.rport,
            facts.state,
            wqueue,
            facts.rqueue,
            facts.timer as u8,
            ticks,
            facts.retrans,
            tail.uid,
            0,
            tail.inode,
            tail.refs,
            ColumnsOf(tail),
        ));
    }
}

/// What only a socket has.
#[derive(Default)]
struct Tail {
    uid: u32,
    inode: usize,
    refs: i32,
    columns: Option<Columns>,
}

/// The last columns, if there are any.
struct ColumnsOf<'a>(&'a Tail);

impl fmt::Display for ColumnsOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(columns) = self.0.columns else {
            return Ok(());
        };
        write!(
            f,
            " {} {} {} {} {}",
            columns.rto, columns.ato, columns.ack_mode, columns.cwnd, columns.ssthresh,
        )
    }
}

/// An address as words of the machine's own order, which is how TCP's files show it.
struct Hex<'a>(&'a Ip, bool);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.1 {
            return write!(f, "{:08X}", self.0.be32());
        }
        for word in self.0.octets().chunks_exact(4) {
            let word: [u8; 4] = word.try_into().unwrap_or_default();
            write!(f, "{:08X}", u32::from_ne_bytes(word))?;
        }
        Ok(())
    }
}

unsafe extern "C" fn show<E: Protocol, const V6: bool>(
    seq: *mut b::seq_file,
    element: *mut ffi::c_void,
) -> ffi::c_int {
    // SAFETY: A file of ours that is being shown; its state is ours alone meanwhile, and its
    // namespace lives as long as the file is open.
    let (net, table, out) = unsafe {
        (
            Net::from_raw(b::newtcp_seq_file_net(seq)),
            &mut *b::newtcp_seq_table(seq),
            SeqFile::from_raw(seq.cast()),
        )
    };
    let reader = Reader { seq, out, v6: V6 };
    let Some(index) = (element.addr()).checked_sub(2) else {
        (table.element, table.before, table.after) = (0, 0, 0);
        reader.heading();
        return 0;
    };
    // The same element is shown again when the buffer was too small for it.
    if table.element != index + 1 {
        (table.element, table.before) = (index + 1, table.after);
    }
    let tables = demux::demux::<E>();
    let listeners = tables.buckets(Shelf::Listeners);
    let (shelf, bucket) = match index.checked_sub(listeners) {
        None => (Shelf::Listeners, index),
        Some(bucket) => (Shelf::Connections, bucket),
    };
    let (mut position, mut number) = (0, table.before);
    loop {
        let handful = tables.handful(shelf, bucket, net.id(), position);
        for (_, entry) in handful.iter() {
            if reader.entry(number, entry) {
                number = number.wrapping_add(1);
            }
        }
        if !handful.is_full() {
            break;
        }
        position = handful.next();
    }
    table.after = number;
    0
}
