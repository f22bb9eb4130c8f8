// SPDX-License-Identifier: GPL-2.0

//! Protocol vectors: short scripts with one right outcome each. They run under `cargo test` and,
//! as KUnit, in the kernel; so they allocate nothing and fail with a sentence, not with a panic.
//!
//! - [`player`], [`script`], [`vectors`]: runs that the simulator has recorded, played again;
//! - [`shell`]: queues of a fixed size;
//! - [`end`]: one end of a connection, with helpers to drive and to question it;
//! - [`handshake`], [`data`], [`loss`], [`congestion`], [`close`], [`reset`], [`window`],
//!   [`listen`], [`life`]: the vectors.

pub mod close;
pub mod congestion;
pub mod data;
pub mod end;
pub mod handshake;
pub mod life;
pub mod listen;
pub mod loss;
pub mod player;
pub mod repair;
pub mod reset;
pub mod script;
pub mod shell;
pub mod vectors;
pub mod window;

/// How a vector ends.
pub type Outcome = Result<(), &'static str>;

/// A vector: a name to report and a function to run.
pub type Vector = (&'static str, fn() -> Outcome);

/// Goes on only if `condition` holds.
pub(crate) fn ensure(condition: bool, otherwise: &'static str) -> Outcome {
    if condition {
        Ok(())
    } else {
        Err(otherwise)
    }
}

macro_rules! vectors {
    ($($module:ident :: $name:ident,)*) => {
        /// All vectors.
        pub const VECTORS: &[Vector] = &[
            $((concat!(stringify!($module), "::", stringify!($name)), $module::$name),)*
        ];

        #[cfg(test)]
        mod tests {
            $(
                mod $name {
                    #[test]
                    fn holds() {
                        assert_eq!(super::super::$module::$name(), Ok(()));
                    }
                }
            )*
        }
    };
}

vectors! {
    handshake::active_open,
    handshake::passive_open,
    handshake::simultaneous_open,
    handshake::syn_is_repeated_then_times_out,
    handshake::refused_by_reset,
    handshake::half_open_repeats_then_gives_up,
    handshake::half_open_is_reset,
    handshake::options_need_both_sides,
    handshake::echo_of_a_later_syn_only,
    handshake::icmp_ends_an_attempt_only,
    data::both_ways,
    data::numbers_wrap,
    data::four_gigabytes_are_nothing_special,
    data::reordered_segments_are_delivered_in_order,
    data::overlaps_deliver_each_octet_once,
    data::duplicates_are_reported,
    data::acknowledgment_is_delayed_then_sent,
    data::acknowledgment_waits_for_a_reader_who_is_behind,
    data::small_segments_wait_for_their_predecessor,
    data::superpackets_respect_their_limit,
    loss::timeout_repeats_and_backs_off,
    loss::sack_repairs_only_the_hole,
    loss::three_duplicates_repair_without_sack,
    loss::silent_peer_times_out,
    loss::user_timeout_ends_the_wait,
    loss::memory_shortage_loses_nothing,
    congestion::ecn_is_offered_once,
    congestion::ecn_needs_both,
    congestion::mark_reduces_the_window_once,
    congestion::dctcp_counts_marks_exactly,
    congestion::algorithm_changes_on_the_way,
    congestion::idle_window_shrinks,
    congestion::pacing_spreads_data_out,
    close::active_then_time_wait,
    close::passive_needs_no_time_wait,
    close::fin_answers_fin,
    close::repeated_fin_is_acknowledged_at_once,
    close::simultaneous,
    close::half_closed_side_still_receives,
    close::fin_in_front_of_data_waits,
    close::lost_fin_is_repeated,
    close::orphan_does_not_wait_for_ever,
    close::orphan_leaves_fin_wait_2_to_others,
    reset::exact_number_resets,
    reset::other_numbers_are_challenged,
    reset::syn_in_window_is_challenged,
    reset::answers_are_rate_limited,
    reset::stale_acknowledgment_is_challenged,
    reset::data_after_close_is_reset,
    reset::data_after_both_shutdowns_is_reset,
    reset::unread_data_resets_on_close,
    reset::abort_resets,
    reset::stray_segments_are_reset,
    repair::tail_probe_repairs_and_counts,
    repair::reordering_within_the_window_is_borne,
    repair::hole_is_repaired_when_the_window_is_over,
    repair::three_segments_behind_decide_at_once,
    repair::lost_retransmission_is_found,
    repair::basic_frto_takes_back,
    repair::sack_frto_takes_back,
    repair::real_timeout_stays,
    repair::eifel_takes_back,
    repair::reported_duplicates_take_back,
    repair::marks_are_not_taken_back,
    repair::reduction_follows_delivery,
    repair::dust_is_not_kept,
    repair::reneging_peer_is_not_waited_for,
    window::closed_window_is_probed,
    window::reader_reopens_the_window,
    window::right_edge_stays,
    window::clamped_window_stays_small,
    window::old_timestamps_are_rejected,
    window::strangers_do_not_set_the_clock,
    window::idle_peer_is_probed,
    listen::cookie_brings_everything_back,
    listen::cookie_without_timestamps_is_plain,
    listen::false_cookies_are_refused,
    listen::deferred_accept_waits_for_data,
    listen::old_attempts_make_room,
    life::user_timeout_bounds_keepalive,
    life::user_timeout_may_change,
    life::soft_error_is_forgotten_on_progress,
    life::unreachable_reverts_the_back_off,
    life::orphan_is_given_up_sooner,
    life::black_hole_is_left,
    life::larger_segments_are_tried,
    life::routers_do_not_shorten_patience,
}
