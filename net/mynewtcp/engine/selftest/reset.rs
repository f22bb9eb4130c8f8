// SPDX-License-Identifier: GPL-2.0

//! Resets, given and taken (RFC 9293, 3.5.2 and 3.5.3; RFC 5961).

use crate::engine::config::Config;
use crate::engine::connection::StateName;
use crate::engine::error::ConnectionError;
use crate::engine::listener::reset_reply;
use crate::engine::selftest::end::{
    segment,
    End,
    Pair,
    IRS,
    ISS, //
};
use crate::engine::selftest::{
    ensure,
    Outcome, //
};
use crate::engine::seq::SeqNum;
use crate::engine::time::Delta;
use crate::engine::wire::{
    Control,
    Segment, //
};

const NXT: SeqNum = IRS.plus(1);

/// A reset at RCV.NXT is believed.
pub fn exact_number_resets() -> Outcome {
    let mut end = End::established()?;
    end.receive(&segment(Control::Rst, NXT, None, 0));
    ensure(
        end.connection.error() == Some(ConnectionError::Reset),
        "not reset",
    )?;
    ensure(end.told.failed && end.told.closed, "the user was not told")?;
    end.silent("a reset was answered")
}

/// The provocation is challenged, if the last one is long enough ago.
fn is_challenge(end: &mut End, provocation: &Segment) -> Outcome {
    end.now = end.now.after(end.config.invalid_ratelimit);
    end.receive(provocation);
    end.is_in(StateName::Established, "a guess was believed")?;
    let ack = end.transmit("no challenge")?;
    ensure(
        ack.ack == Some(NXT) && ack.control == Control::None,
        "wrong challenge",
    )
}

/// A reset elsewhere in the window is challenged, so often and no more; outside it is ignored.
pub fn other_numbers_are_challenged() -> Outcome {
    let mut end = End::established()?;
    end.config.invalid_ratelimit = Delta::ZERO;
    let guess = segment(Control::Rst, NXT.plus(7), None, 0);
    for _ in 0..end.config.challenge_ack_limit {
        is_challenge(&mut end, &guess)?;
    }
    end.receive(&guess);
    end.silent("challenges without limit")?;
    end.receive(&segment(Control::Rst, NXT.minus(1), None, 0));
    end.receive(&segment(Control::Rst, NXT.plus(1_000_000), None, 0));
    end.silent("a reset outside of the window was answered")?;
    end.is_in(StateName::Established, "a guess was believed")
}

/// So is a SYN, wherever it is.
pub fn syn_in_window_is_challenged() -> Outcome {
    let mut end = End::established()?;
    is_challenge(
        &mut end,
        &segment(Control::Syn, NXT.plus(7), Some(ISS.plus(1)), 0),
    )?;
    is_challenge(&mut end, &segment(Control::Syn, IRS, None, 0))
}

/// However many segments are wrong: answers that carry nothing are `invalid_ratelimit` apart.
pub fn answers_are_rate_limited() -> Outcome {
    let mut end = End::established()?;
    let guess = segment(Control::Rst, NXT.plus(7), None, 0);
    let stale = segment(Control::None, NXT.minus(1), Some(ISS.plus(1)), 0);
    is_challenge(&mut end, &guess)?;
    for wrong in [guess, stale, segment(Control::Syn, IRS, None, 0)] {
        end.receive(&wrong);
        end.silent("answered too soon")?;
    }
    is_challenge(&mut end, &stale)?;
    // Data is another matter: the acknowledgment of it may have been lost.
    for _ in 0..3 {
        end.receive(&segment(Control::None, NXT.minus(5), Some(ISS.plus(1)), 5));
        end.transmit("old data is not acknowledged")?;
    }
    Ok(())
}

/// RFC 5961, 5.2: an acknowledgment from before any window that the peer can have known is
/// challenged, and what comes with it is not taken.
pub fn stale_acknowledgment_is_challenged() -> Outcome {
    let mut end = End::established()?;
    let oldest = ISS.plus(1).minus(20_000);
    is_challenge(
        &mut end,
        &segment(Control::None, NXT, Some(oldest.minus(1)), 10),
    )?;
    ensure(end.shell.delivered == 0, "its data was taken")?;
    end.receive(&segment(Control::None, NXT, Some(oldest), 10));
    ensure(end.shell.delivered == 10, "a possible one was refused")
}

/// RFC 9293, 3.6.1: data that nobody will read any more is answered with a reset.
pub fn data_after_close_is_reset() -> Outcome {
    let mut end = End::established()?;
    end.with(|connection, cx| connection.close(cx));
    end.transmit("no FIN")?;
    end.receive_data(0, 10);
    let reset = end.transmit("no reset")?;
    ensure(reset.control == Control::Rst, "not a reset")?;
    ensure(end.told.closed, "not closed")
}

/// The same without close, once the user has shut both directions; not before.
pub fn data_after_both_shutdowns_is_reset() -> Outcome {
    let mut end = End::established()?;
    end.with(|connection, cx| connection.shutdown_read(cx));
    end.receive_data(0, 10);
    ensure(end.shell.delivered == 10, "reset too early")?;
    end.with(|connection, cx| connection.shutdown_write(cx))
        .map_err(|_| "shutdown was refused")?;
    end.transmit("no FIN")?;
    end.receive_data(10, 10);
    let reset = end.transmit("no reset")?;
    ensure(reset.control == Control::Rst, "not a reset")?;
    ensure(
        end.connection.error() == Some(ConnectionError::Reset),
        "the user was not told",
    )
}

/// The same when the data came before the close.
pub fn unread_data_resets_on_close() -> Outcome {
    let mut end = End::established()?;
    end.receive_data(0, 10);
    end.with(|connection, cx| connection.close(cx));
    let reset = end.transmit("no reset")?;
    ensure(
        reset.control == Control::Rst && reset.seq == ISS.plus(1),
        "wrong reset",
    )?;
    end.silent("more than a reset")
}

/// Abort tells the peer, whose user is told in turn.
pub fn abort_resets() -> Outcome {
    let mut pair = Pair::new(&Config::DEFAULT, ISS, IRS);
    pair.connect()?;
    pair.a.write(3_000)?;
    pair.exchange(|_| false)?;
    pair.a.with(|connection, cx| connection.abort(cx));
    pair.exchange(|_| false)?;
    ensure(pair.a.told.closed && pair.b.told.closed, "not closed")?;
    ensure(
        pair.b.connection.error() == Some(ConnectionError::Reset),
        "the peer was not told",
    )
}

/// A segment that belongs to nobody is answered with a reset that its sender will believe.
pub fn stray_segments_are_reset() -> Outcome {
    let with_ack = segment(Control::None, IRS, Some(ISS), 10);
    let reply = reset_reply(&with_ack).ok_or("no answer")?;
    ensure(
        reply.seq == ISS && reply.ack.is_none(),
        "wrong answer to an acknowledgment",
    )?;
    let without = segment(Control::Syn, IRS, None, 10);
    let reply = reset_reply(&without).ok_or("no answer")?;
    ensure(reply.seq == SeqNum::new(0), "wrong answer to a SYN")?;
    ensure(
        reply.ack == Some(IRS.plus(11)),
        "wrong acknowledgment of a SYN",
    )?;
    ensure(
        reset_reply(&segment(Control::Rst, IRS, None, 0)).is_none(),
        "a reset was answered",
    )
}
