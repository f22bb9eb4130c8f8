// SPDX-License-Identifier: GPL-2.0

//! Looking at everything in the tables, a handful at a time, for `/proc` and socket diagnosis.
//!
//! Between two handfuls the tables may change: as with Linux'
//! own walks, what comes or goes meanwhile may be seen or missed, what stays is seen once.

use super::{
    entry_of,
    Demux,
    Entry,
    CONNECTIONS,
    LISTENERS, //
};
use crate::linux::{
    net::NetId,
    proto::Protocol, //
};

/// Which of the tables.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shelf {
    /// Listeners.
    Listeners,
    /// Connections in all forms.
    Connections,
}

/// Entries that are looked at between two lockings of a bucket.
pub(crate) const HANDFUL: usize = 16;

/// Some entries of one bucket, each with a reference and its position in the bucket.
pub(crate) struct Handful<E: Protocol> {
    entries: [Option<(usize, Entry<E>)>; HANDFUL],
    len: usize,
    next: usize,
}

impl<E: Protocol> Handful<E> {
    /// Of the positions from `first` on.
    pub(in crate::linux) fn new(first: usize) -> Self {
        Self {
            entries: [const { None }; HANDFUL],
            len: 0,
            next: first,
        }
    }

    /// The entry of the next position, `None` if it is just being freed. False if that was the
    /// last one that there is room for.
    pub(in crate::linux) fn add(&mut self, entry: Option<Entry<E>>) -> bool {
        let position = self.next;
        self.next += 1;
        if let (Some(entry), Some(slot)) = (entry, self.entries.get_mut(self.len)) {
            *slot = Some((position, entry));
            self.len += 1;
        }
        !self.is_full()
    }

    /// There may be more where these come from.
    pub(crate) fn is_full(&self) -> bool {
        self.len == HANDFUL
    }

    /// The position behind the last one.
    pub(crate) fn next(&self) -> usize {
        self.next
    }

    /// The entries and their positions.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &Entry<E>)> {
        self.entries
            .iter()
            .flatten()
            .map(|(at, entry)| (*at, entry))
    }
}

impl<E: Protocol> Demux<E> {
    /// Buckets of a table.
    pub(crate) fn buckets(&self, shelf: Shelf) -> usize {
        match shelf {
            Shelf::Listeners => LISTENERS.len(),
            Shelf::Connections => CONNECTIONS.len(),
        }
    }

    /// A handful of the entries of namespace `net` in a bucket, behind the first `skip` of them.
    pub(crate) fn handful(
        &self,
        shelf: Shelf,
        bucket: usize,
        net: NetId,
        skip: usize,
    ) -> Handful<E> {
        let table = match shelf {
            Shelf::Listeners => &LISTENERS,
            Shelf::Connections => &CONNECTIONS,
        };
        let mut handful = Handful::new(skip);
        if let Some(bucket) = table.lock(bucket as u32) {
            bucket
                .iter()
                .filter(|link| link.net_bits() == net.bits())
                .skip(skip)
                .all(|link| handful.add(entry_of(link)));
        }
        handful
    }
}
