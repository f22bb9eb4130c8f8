// SPDX-License-Identifier: GPL-2.0

//! What a stretch of work cost: time passed, and time that processors worked.
//!
//! Under QEMU's instruction counter a guest nanosecond is an instruction, so
//! the same clocks serve for both ways of measuring. There the time that
//! passes is not the work done, though: while every process waits for a timer
//! the clock jumps. The scheduler's own account of each process does not have
//! these jumps, so the sum over all processes, those of the kernel as well, is
//! the number of instructions.

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    io,
    mem::MaybeUninit,
    time::Instant, //
};

/// Process number -> nanoseconds on a processor.
type Account = BTreeMap<libc::pid_t, u64>;

fn nanoseconds_of(pid: libc::pid_t) -> Option<u64> {
    let mut clock = 0;
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: `clock` is valid for writes and lives through the call.
    if unsafe { libc::clock_getcpuclockid(pid, &mut clock) } != 0 {
        return None;
    }
    // SAFETY: `time` is valid for writes and lives through the call.
    if unsafe { libc::clock_gettime(clock, time.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: The call succeeded, so it wrote the whole structure.
    let time = unsafe { time.assume_init() };
    Some(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

fn everyone() -> io::Result<Vec<libc::pid_t>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        if let Some(pid) = entry?.file_name().to_str().and_then(|n| n.parse().ok()) {
            found.push(pid);
        }
    }
    Ok(found)
}

/// A measurement that runs.
pub(crate) struct Meter {
    before: Account,
    started: Instant,
}

/// What it found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    /// Time passed.
    pub(crate) elapsed: u64,
    /// Time on processors, of all processes together.
    pub(crate) busy: u64,
}

impl Meter {
    /// Start.
    pub(crate) fn start() -> io::Result<Meter> {
        let own = std::process::id() as libc::pid_t;
        let mut before: Account = everyone()?
            .into_iter()
            .filter_map(|pid| Some((pid, nanoseconds_of(pid)?)))
            .collect();
        // Last, so that our looking around does not count.
        before.extend(nanoseconds_of(own).map(|time| (own, time)));
        Ok(Meter {
            before,
            started: Instant::now(),
        })
    }

    /// Stop.
    pub(crate) fn stop(self) -> io::Result<Cost> {
        let own = std::process::id() as libc::pid_t;
        let elapsed = self.started.elapsed().as_nanos() as u64;
        let mut after: Account = nanoseconds_of(own).map(|t| (own, t)).into_iter().collect();
        for pid in everyone()? {
            if pid != own {
                after.extend(nanoseconds_of(pid).map(|time| (pid, time)));
            }
        }
        let busy = after
            .iter()
            .map(|(pid, time)| time.saturating_sub(self.before.get(pid).copied().unwrap_or(0)))
            .sum();
        Ok(Cost { elapsed, busy })
    }
}

/// One line of JSON.
pub(crate) struct Line(String);

impl Line {
    /// A line about that benchmark of that family.
    pub(crate) fn new(bench: &str, transport: &crate::family::Transport, unit: &str) -> Line {
        Line(format!(
            "{{\"bench\": \"{bench}\", \"family\": \"{}\", \"ipv6\": {}, \"unit\": \"{unit}\"",
            transport.family.name(),
            transport.ipv6,
        ))
    }

    /// One more number.
    pub(crate) fn number(mut self, name: &str, value: f64) -> Line {
        // Writing to a String cannot fail.
        let _ = write!(self.0, ", \"{name}\": {value:.4}");
        self
    }

    /// What that many units cost.
    pub(crate) fn cost(self, cost: Cost, units: u64) -> Line {
        let units = units as f64;
        self.number("units", units)
            .number("ns_per_unit", cost.elapsed as f64 / units)
            .number("busy_per_unit", cost.busy as f64 / units)
    }

    /// The whole.
    pub(crate) fn end(self) -> String {
        self.0 + "}"
    }
}
