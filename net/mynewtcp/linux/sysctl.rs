// SPDX-License-Identifier: GPL-2.0

//! `net.mynewtcp.*`: `mem` for the machine, in the first namespace only; `wmem` and `rmem` in
//! every namespace.

use super::{
    bindings as b,
    net::Net,
    statics::CStatic, //
};
use core::ptr::null_mut;
use kernel::{
    alloc::flags::GFP_KERNEL,
    ffi,
    prelude::*,
    str::as_char_ptr_in_const_context, //
};

/// Where the files are, below `/proc/sys`.
const PATH: &CStr = c"net/mynewtcp";

/// The least that a buffer size may be set to, bytes.
static MIN_BYTES: CStatic<ffi::c_int> = CStatic::new(1);

/// The least that a limit of `mem` may be set to, pages.
static MIN_PAGES: CStatic<ffi::c_long> = CStatic::new(0);

/// `net.mynewtcp.mem`.
pub(super) const fn mem_table() -> [b::ctl_table; 1] {
    let mut mem: b::ctl_table = pin_init::zeroed();
    mem.procname = as_char_ptr_in_const_context(c"mem");
    mem.data = (&raw mut b::newtcp_sysctl_mem).cast();
    mem.maxlen = (3 * size_of::<ffi::c_long>()) as ffi::c_int;
    mem.mode = 0o644;
    mem.proc_handler = Some(ordered_pages);
    mem.extra1 = MIN_PAGES.get().cast();
    [mem]
}

/// Three buffer sizes of a namespace.
fn triple(name: &'static CStr, data: *mut [ffi::c_int; 3]) -> b::ctl_table {
    let mut entry: b::ctl_table = pin_init::zeroed();
    entry.procname = name.as_char_ptr();
    entry.data = data.cast();
    entry.maxlen = size_of::<[ffi::c_int; 3]>() as ffi::c_int;
    entry.mode = 0o644;
    entry.proc_handler = Some(ordered_bytes);
    entry.extra1 = MIN_BYTES.get().cast();
    entry
}

/// True if each number is at least the one before.
fn ordered<T: PartialOrd>(three: &[T; 3]) -> bool {
    three[0] <= three[1] && three[1] <= three[2]
}

/// Three longs in ascending order: a write is taken whole or refused with EINVAL.
unsafe extern "C" fn ordered_pages(
    ctl: *const b::ctl_table,
    dir: ffi::c_int,
    buf: *mut ffi::c_void,
    lenp: *mut usize,
    ppos: *mut b::loff_t,
) -> ffi::c_int {
    // SAFETY: The caller gives a table of ours whose data is three longs, and a kernel buffer.
    unsafe {
        let data = (*ctl).data.cast::<[ffi::c_long; 3]>();
        let mut copy = data.read_volatile();
        let entry = b::ctl_table {
            data: (&raw mut copy).cast(),
            ..*ctl
        };
        let err = b::proc_doulongvec_minmax(&raw const entry, dir, buf, lenp, ppos);
        finish(err, dir, data, &copy)
    }
}

/// Three ints in ascending order: a write is taken whole or refused with EINVAL.
unsafe extern "C" fn ordered_bytes(
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
        let entry = b::ctl_table {
            data: (&raw mut copy).cast(),
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

/// Shows the files of a namespace.
pub(super) fn register(net: &Net) -> Result {
    let state = net.state();
    // SAFETY: The namespace is new; its numbers live as long as it does.
    let table = unsafe {
        [
            triple(c"wmem", &raw mut (*state).sysctl_wmem),
            triple(c"rmem", &raw mut (*state).sysctl_rmem),
        ]
    };
    let table = KBox::into_raw(KBox::new(table, GFP_KERNEL)?);
    // SAFETY: The table lives until `unregister` frees it.
    unsafe {
        let header = b::register_net_sysctl_sz(net.as_raw(), PATH.as_char_ptr(), table.cast(), 2);
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
            (*state).sysctl_table.cast::<[b::ctl_table; 2]>(),
        ));
        (*state).sysctl_header = null_mut();
        (*state).sysctl_table = null_mut();
    }
}

/// The file of the machine, gone when dropped.
pub(super) struct MemFile(*mut b::ctl_table_header);

// SAFETY: A registration has no ties to a thread.
unsafe impl Send for MemFile {}
// SAFETY: Only used in `drop`.
unsafe impl Sync for MemFile {}

impl MemFile {
    pub(super) fn register(table: &'static CStatic<[b::ctl_table; 1]>) -> Result<Self> {
        // SAFETY: The table and its data are static.
        let header = unsafe {
            b::register_net_sysctl_sz(
                &raw mut b::init_net,
                PATH.as_char_ptr(),
                table.get().cast(),
                1,
            )
        };
        if header.is_null() {
            return Err(ENOMEM);
        }
        Ok(Self(header))
    }
}

impl Drop for MemFile {
    fn drop(&mut self) {
        // SAFETY: Registered in `register`.
        unsafe { b::unregister_net_sysctl_table(self.0) };
    }
}
