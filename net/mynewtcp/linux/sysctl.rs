// SPDX-License-Identifier: GPL-2.0

//! The files below `/proc/sys/net/mynewtcp`: the protocol says which there are and what a number
//! changes; here is how they are shown, read and written.

use super::{
    bindings as b,
    memory,
    net::Net,
    proto::Protocol, //
};
use core::ptr::null_mut;
use kernel::{
    alloc::flags::GFP_KERNEL,
    error::from_result,
    ffi,
    prelude::*, //
};

/// Where the files are, below `/proc/sys`.
const PATH: &CStr = c"net/mynewtcp";

/// Who has a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Every network namespace, with a value of its own.
    Namespace,
    /// The first network namespace only, for all of them.
    Host,
}

/// Where a file with words can be written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writable {
    /// Nowhere.
    No,
    /// In the first network namespace.
    First,
    /// Everywhere.
    Yes,
}

/// What is in a file.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// One number; both limits may be written.
    Number {
        /// The least that may be written.
        min: i64,
        /// The most that may be written.
        max: i64,
    },
    /// Words.
    Text {
        /// Where they can be changed.
        writable: Writable,
    },
    /// The three limits of the namespace's memory, pages; of the host's in the first one.
    Pages,
    /// Three sizes of a send buffer, bytes.
    SendBuffer,
    /// Three sizes of a receive buffer, bytes.
    ReceiveBuffer,
}

/// One file.
pub(crate) struct File {
    /// What it is called.
    pub(crate) name: &'static CStr,
    /// Who has it.
    pub(crate) scope: Scope,
    /// What is in it.
    pub(crate) kind: Kind,
}

impl File {
    /// Its entry in the table of namespace `net`, whose row `row` it is.
    fn entry<E: Protocol>(&self, net: &Net, row: usize) -> b::ctl_table {
        let state = net.state();
        let mut entry: b::ctl_table = pin_init::zeroed();
        entry.procname = self.name.as_char_ptr();
        entry.mode = 0o644;
        match self.kind {
            Kind::Number { .. } => {
                entry.data = net.as_raw().cast();
                entry.maxlen = size_of::<ffi::c_int>() as ffi::c_int;
                entry.proc_handler = Some(number::<E>);
                // Not a limit: our handler takes the limits from the row.
                entry.extra1 = core::ptr::without_provenance_mut(row);
            }
            Kind::Text { writable } => {
                entry.data = net.as_raw().cast();
                entry.maxlen = Text::ROOM as ffi::c_int;
                entry.mode = match writable {
                    Writable::Yes => 0o644,
                    Writable::First if net.is_first() => 0o644,
                    Writable::First | Writable::No => 0o444,
                };
                entry.proc_handler = Some(text::<E>);
                entry.extra1 = core::ptr::without_provenance_mut(row);
            }
            Kind::Pages => {
                entry.data = net.as_raw().cast();
                entry.maxlen = size_of::<[ffi::c_long; 3]>() as ffi::c_int;
                entry.proc_handler = Some(pages);
            }
            Kind::SendBuffer => {
                // SAFETY: The namespace is live; only an address is taken.
                entry.data = unsafe { (&raw mut (*state).sysctl_wmem).cast() };
                entry.maxlen = size_of::<[ffi::c_int; 3]>() as ffi::c_int;
                entry.proc_handler = Some(ordered_bytes::<1>);
            }
            Kind::ReceiveBuffer => {
                // SAFETY: As above.
                entry.data = unsafe { (&raw mut (*state).sysctl_rmem).cast() };
                entry.maxlen = size_of::<[ffi::c_int; 3]>() as ffi::c_int;
                entry.proc_handler = Some(ordered_bytes::<4096>);
            }
        }
        entry
    }
}

/// A file with one number.
unsafe extern "C" fn number<E: Protocol>(
    ctl: *const b::ctl_table,
    dir: ffi::c_int,
    buf: *mut ffi::c_void,
    lenp: *mut usize,
    ppos: *mut b::loff_t,
) -> ffi::c_int {
    // SAFETY: The caller gives a table of ours, whose data is the namespace that it belongs to.
    let (net, row) = unsafe { (Net::from_raw((*ctl).data.cast()), (*ctl).extra1.addr()) };
    from_result(|| {
        let file = E::sysctl_file(row).ok_or(ENOENT)?;
        let Kind::Number { min, max } = file.kind else {
            return Err(EINVAL);
        };
        let object = net.get::<E>().ok_or(ENODEV)?;
        let old = E::sysctl_read(object, row).ok_or(EINVAL)?;
        // An unsigned number has the same bits.
        let mut value = old as u32;
        let (min, max) = (min as u32, max as u32);
        let entry = b::ctl_table {
            procname: file.name.as_char_ptr(),
            data: (&raw mut value).cast(),
            maxlen: size_of::<u32>() as ffi::c_int,
            mode: 0o644,
            extra1: (&raw const min).cast_mut().cast(),
            extra2: (&raw const max).cast_mut().cast(),
            ..pin_init::zeroed()
        };
        // SAFETY: The entry's data and limits are 32 bits each and outlive the call; the buffer
        // is the caller's.
        let err = unsafe { b::proc_douintvec_minmax(&raw const entry, dir, buf, lenp, ppos) };
        kernel::error::to_result(err)?;
        if dir != 0 {
            E::sysctl_write(object, row, i64::from(value))?;
        }
        Ok(0)
    })
}

/// What a file with words says, or what was written to it.
pub(crate) struct Text {
    /// The last byte is 0 for ever.
    bytes: [u8; Self::ROOM],
    len: usize,
}

impl Text {
    const ROOM: usize = 128;

    /// Adds a word. What does not fit is left out.
    pub(crate) fn push(&mut self, word: &str) {
        if self.len > 0 {
            self.extend(b" ");
        }
        self.extend(word.as_bytes());
    }

    fn extend(&mut self, more: &[u8]) {
        let end = self.len.saturating_add(more.len());
        if end < Self::ROOM {
            self.bytes[self.len..end].copy_from_slice(more);
            self.len = end;
        }
    }
}

/// A file with words.
unsafe extern "C" fn text<E: Protocol>(
    ctl: *const b::ctl_table,
    dir: ffi::c_int,
    buf: *mut ffi::c_void,
    lenp: *mut usize,
    ppos: *mut b::loff_t,
) -> ffi::c_int {
    // SAFETY: The caller gives a table of ours, whose data is the namespace that it belongs to.
    let (net, row) = unsafe { (Net::from_raw((*ctl).data.cast()), (*ctl).extra1.addr()) };
    from_result(|| {
        let object = net.get::<E>().ok_or(ENODEV)?;
        let mut text = Text {
            bytes: [0; Text::ROOM],
            len: 0,
        };
        if dir == 0 {
            E::sysctl_read_text(object, row, &mut text);
        }
        let mut entry: b::ctl_table = pin_init::zeroed();
        entry.data = text.bytes.as_mut_ptr().cast();
        entry.maxlen = Text::ROOM as ffi::c_int;
        // SAFETY: The entry's data has as many bytes as it says and outlives the call; the buffer
        // is the caller's.
        let err = unsafe { b::proc_dostring(&raw const entry, dir, buf, lenp, ppos) };
        kernel::error::to_result(err)?;
        if dir != 0 {
            let words = text.bytes.split(|&byte| byte == 0).next();
            E::sysctl_write_text(object, row, words.unwrap_or(&[]), net.is_first())?;
        }
        Ok(0)
    })
}

/// True if each number is at least the one before.
fn ordered<T: PartialOrd>(three: &[T; 3]) -> bool {
    three[0] <= three[1] && three[1] <= three[2]
}

/// The limits of memory, three longs in ascending order: a write is taken whole or refused with
/// EINVAL.
unsafe extern "C" fn pages(
    ctl: *const b::ctl_table,
    dir: ffi::c_int,
    buf: *mut ffi::c_void,
    lenp: *mut usize,
    ppos: *mut b::loff_t,
) -> ffi::c_int {
    // SAFETY: The caller gives a table of ours, whose data is the namespace that it belongs to.
    let net = unsafe { Net::from_raw((*ctl).data.cast()) };
    from_result(|| {
        let mut limits = memory::limits_of(net);
        let mut least: ffi::c_long = 0;
        // SAFETY: The caller's entry, with data and a limit that outlive the call; the buffer is
        // the caller's.
        let err = unsafe {
            let entry = b::ctl_table {
                data: (&raw mut limits).cast(),
                extra1: (&raw mut least).cast(),
                ..*ctl
            };
            b::proc_doulongvec_minmax(&raw const entry, dir, buf, lenp, ppos)
        };
        kernel::error::to_result(err)?;
        if dir != 0 {
            if !ordered(&limits) {
                return Err(EINVAL);
            }
            memory::set_limits(net, limits)?;
        }
        Ok(0)
    })
}

/// Three ints of at least `LEAST` in ascending order: a write is taken whole or refused with
/// EINVAL.
unsafe extern "C" fn ordered_bytes<const LEAST: ffi::c_int>(
    ctl: *const b::ctl_table,
    dir: ffi::c_int,
    buf: *mut ffi::c_void,
    lenp: *mut usize,
    ppos: *mut b::loff_t,
) -> ffi::c_int {
    // SAFETY: The caller gives a table of ours whose data is three ints, and a kernel buffer.
    unsafe {
        let data = (*ctl).data.cast::<[ffi::c_int; 3]>();
        let mut copy = data.read_volatile();
        let mut least = LEAST;
        let entry = b::ctl_table {
            data: (&raw mut copy).cast(),
            extra1: (&raw mut least).cast(),
            ..*ctl
        };
        let err = b::proc_dointvec_minmax(&raw const entry, dir, buf, lenp, ppos);
        finish(err, dir, data, &copy)
    }
}

/// # Safety
///
/// `data` must be what the sysctl changes.
unsafe fn finish<T: PartialOrd + Copy>(
    err: ffi::c_int,
    dir: ffi::c_int,
    data: *mut [T; 3],
    copy: &[T; 3],
) -> ffi::c_int {
    if err != 0 || dir == 0 {
        return err;
    }
    if !ordered(copy) {
        return EINVAL.to_errno();
    }
    for (i, value) in copy.iter().enumerate() {
        // SAFETY: By the contract; each number is written in one access.
        unsafe { (&raw mut (*data)[i]).write_volatile(*value) };
    }
    0
}

/// The entries that namespace `net` shows.
fn entries<E: Protocol>(net: &Net) -> Result<KVec<b::ctl_table>> {
    let is_first = net.is_first();
    let mut entries = KVec::new();
    for row in 0.. {
        let Some(file) = E::sysctl_file(row) else {
            break;
        };
        if file.scope == Scope::Namespace || is_first {
            entries.push(file.entry::<E>(net, row), GFP_KERNEL)?;
        }
    }
    Ok(entries)
}

/// Shows the files of a namespace, whose object is in its place.
pub(super) fn register<E: Protocol>(net: &Net) -> Result {
    let state = net.state();
    let table = KBox::new(entries::<E>(net)?, GFP_KERNEL)?;
    let len = table.len();
    let table = KBox::into_raw(table);
    // SAFETY: The table lives until `unregister` frees it, and what it points to until then too.
    unsafe {
        let first = (*table).as_mut_ptr();
        let header = b::register_net_sysctl_sz(net.as_raw(), PATH.as_char_ptr(), first, len);
        if header.is_null() {
            drop(KBox::from_raw(table));
            return Err(ENOMEM);
        }
        (*state).sysctl_table = table.cast();
        (*state).sysctl_header = header;
    }
    Ok(())
}

/// Takes the files of a namespace away.
pub(super) fn unregister(net: &Net) {
    let state = net.state();
    // SAFETY: `register` has succeeded; after the first call nobody reads the table.
    unsafe {
        b::unregister_net_sysctl_table((*state).sysctl_header);
        drop(KBox::from_raw(
            (*state).sysctl_table.cast::<KVec<b::ctl_table>>(),
        ));
        (*state).sysctl_header = null_mut();
        (*state).sysctl_table = null_mut();
    }
}
