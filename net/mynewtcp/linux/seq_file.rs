// SPDX-License-Identifier: GPL-2.0

//! `/proc/net/mynewtcp_snmp`, in every network namespace.

use super::{
    bindings as b,
    net::Net,
    proto::Protocol, //
};
use kernel::{
    ffi,
    prelude::*,
    seq_file::SeqFile, //
};

/// Makes the file of a namespace.
pub(super) fn register<E: Protocol>(net: &Net) -> Result {
    // SAFETY: The namespace is live; `show` is what its files are read with.
    if unsafe { b::newtcp_proc_create(net.as_raw(), Some(show::<E>)) } {
        Ok(())
    } else {
        Err(ENOMEM)
    }
}

/// Removes the file of a namespace, and waits for its readers.
pub(super) fn unregister(net: &Net) {
    // SAFETY: The namespace is live, and `register` has succeeded for it.
    unsafe { b::newtcp_proc_remove(net.as_raw()) };
}

/// Called for each read of the file.
unsafe extern "C" fn show<E: Protocol>(seq: *mut b::seq_file, _: *mut ffi::c_void) -> ffi::c_int {
    // SAFETY: An open file of ours. `unregister` waits for this call, and the namespace's object
    // is there until then.
    unsafe {
        let net = Net::from_raw(b::newtcp_seq_net(seq));
        E::show_counters(net, SeqFile::from_raw(seq.cast()));
    }
    0
}
