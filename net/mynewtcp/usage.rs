// SPDX-License-Identifier: GPL-2.0

//! Who uses how many sockets and how much memory, and what the limits are: the text of
//! `/proc/net/mynewtcp_sockstat`.

use kernel::seq_file::SeqFile;

use crate::endpoint::Endpoint;
use crate::linux::memory::{
    self,
    Usage, //
};
use crate::linux::net::Net;
use crate::linux::resident;
use crate::orphans;

/// Writes one line for the namespace's sockets, one for its memory, two for the host's.
pub(crate) fn show(net: &Net, out: &SeqFile) {
    let (tw, max_tw) = net.get::<Endpoint>().map_or((0, 0), |per_net| {
        let namespace = &per_net.namespace;
        let limit = namespace.tuning.current().values().config.max_tw_buckets;
        (namespace.lingering.total(), limit)
    });
    let inuse = memory::sockets_of::<Endpoint>(net);
    kernel::seq_print!(
        out,
        "sockets: inuse {inuse} tw {tw} max_tw_buckets {max_tw}\n"
    );
    let (usage, tally) = memory::usage_of(net);
    limits(out, "memory", &usage);
    kernel::seq_print!(out, " refused {}\n", tally.refused);
    kernel::seq_print!(
        out,
        "host_sockets: alloc {} orphan {} max_orphans {} dormant {} woken {}\n",
        memory::sockets(),
        orphans::count(),
        orphans::limit(),
        resident::dormant(),
        resident::woken(),
    );
    limits(out, "host_memory", &memory::usage());
    kernel::seq_print!(out, " per_cpu_reserve {}\n", memory::per_cpu_reserve());
}

/// The beginning of a line about memory.
fn limits(out: &SeqFile, what: &str, usage: &Usage) {
    let [low, pressure, high] = usage.limits;
    let (pages, is_pressed) = (usage.pages, u8::from(usage.pressed_for.is_some()));
    let ms = usage.pressed_for.unwrap_or(0);
    kernel::seq_print!(
        out,
        "{what}: pages {pages} low {low} pressure {pressure} high {high} \
         under_pressure {is_pressed} pressure_ms {ms}"
    );
}

/// The counters that are kept where memory is.
pub(crate) fn counters(net: &Net, out: &SeqFile) {
    let (_, tally) = memory::usage_of(net);
    kernel::seq_print!(out, "MemoryPressures {}\n", tally.pressures);
    kernel::seq_print!(out, "MemoryPressuresChrono {}\n", tally.pressed_ms);
    kernel::seq_print!(out, "MemoryRefused {}\n", tally.refused);
    kernel::seq_print!(out, "MemPages {}\n", memory::exact_pages());
    kernel::seq_print!(out, "Sockets {}\n", memory::sockets());
}
