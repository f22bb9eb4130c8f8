// SPDX-License-Identifier: GPL-2.0

//! `poll(2)` and its relatives, without the lock: a wake-up that comes too often is cheap, one
//! that is missing is not.

use crate::endpoint::Sock;
use crate::linux::poll::PollMask;
use crate::linux::state;
use crate::memory;

/// What the socket is ready for.
pub(crate) fn poll(sk: &Sock) -> PollMask {
    let current = sk.state();
    if current == state::LISTEN {
        return if sk.shared().ready() > 0 {
            PollMask::IN | PollMask::RDNORM
        } else {
            PollMask::NONE
        };
    }
    let shut = sk.shutdown_mask();
    let mut mask = PollMask::NONE;
    if shut == state::SHUTDOWN_MASK || current == state::CLOSE {
        mask = mask | PollMask::HUP;
    }
    if shut & state::RCV_SHUTDOWN != 0 {
        mask = mask | PollMask::IN | PollMask::RDNORM | PollMask::RDHUP;
    }
    if current != state::SYN_SENT && current != state::SYN_RECV {
        if memory::has_enough_to_read(sk) {
            mask = mask | PollMask::IN | PollMask::RDNORM;
        }
        if shut & state::SEND_SHUTDOWN != 0 || sk.is_writeable_or_ask() {
            mask = mask | PollMask::OUT | PollMask::WRNORM;
        }
    }
    if sk.err() != 0 || sk.has_queued_errors() {
        mask = mask | PollMask::ERR;
    }
    mask
}
