// SPDX-License-Identifier: GPL-2.0

//! `/proc/net/mynewtcp_snmp` and `/proc/net/mynewtcp_sockstat`, in every network namespace.

use super::{
    bindings as b,
    net::Net,
    proto::Protocol, //
};
use kernel::{
    ffi,
    prelude::*,
    seq_file::SeqFile,
    str::CStr, //
};

/// A file's name and what it is read with.
type File = (
    &'static CStr,
    unsafe extern "C" fn(*mut b::seq_file, *mut ffi::c_void) -> ffi::c_int,
);

const fn files<E: Protocol>() -> [File; 2] {
    [
        (c"mynewtcp_snmp", show_counters::<E>),
        (c"mynewtcp_sockstat", show_usage::<E>),
    ]
}

/// Makes the files of a namespace.
pub(super) fn register<E: Protocol>(net: &Net) -> Result {
    for (n, (name, show)) in files::<E>().into_iter().enumerate() {
        // SAFETY: The namespace is live; `show` is what its files are read with.
        if !unsafe { b::newtcp_proc_create(net.as_raw(), name.as_char_ptr(), Some(show)) } {
            remove::<E>(net, n);
            return Err(ENOMEM);
        }
    }
    Ok(())
}

/// Removes the files of a namespace, and waits for their readers.
pub(super) fn unregister<E: Protocol>(net: &Net) {
    remove::<E>(net, files::<E>().len());
}

fn remove<E: Protocol>(net: &Net, how_many: usize) {
    for (name, _) in files::<E>().into_iter().take(how_many) {
        // SAFETY: The namespace is live, and the file was made.
        unsafe { b::newtcp_proc_remove(net.as_raw(), name.as_char_ptr()) };
    }
}

/// Called for each read of the counters.
unsafe extern "C" fn show_counters<E: Protocol>(
    seq: *mut b::seq_file,
    _: *mut ffi::c_void,
) -> ffi::c_int {
    // SAFETY: An open file of ours. `unregister` waits for this call, and the namespace's object
    // is there until then.
    unsafe {
        let net = Net::from_raw(b::newtcp_seq_net(seq));
        E::show_counters(net, SeqFile::from_raw(seq.cast()));
    }
    0
}

/// Called for each read of who uses how much.
unsafe extern "C" fn show_usage<E: Protocol>(
    seq: *mut b::seq_file,
    _: *mut ffi::c_void,
) -> ffi::c_int {
    // SAFETY: As in `show_counters`.
    unsafe {
        let net = Net::from_raw(b::newtcp_seq_net(seq));
        E::show_usage(net, SeqFile::from_raw(seq.cast()));
    }
    0
}
