// SPDX-License-Identifier: GPL-2.0

//! Properties of sequence numbers, ranges and windows, over all numbers.

use mynewtcp_engine::engine::seq::{
    SeqNum,
    SeqRange,
    WindowScale,
    WindowSize, //
};
use proptest::prelude::*;

/// Distances for which comparison has a meaning.
const HALF: u32 = 1 << 31;

proptest! {
    #[test]
    fn order_is_that_of_distances(start: u32, distance in 0..HALF) {
        let (a, b) = (SeqNum::new(start), SeqNum::new(start).plus(distance));
        prop_assert_eq!(a.before(b), distance > 0);
        prop_assert_eq!(b.after(a), distance > 0);
        prop_assert!(a.before_or_eq(b) && b.after_or_eq(a));
        prop_assert_eq!(b.distance_from(a), distance);
        prop_assert_eq!(b.minus(distance), a);
        prop_assert_eq!((a.latest(b), a.earliest(b)), (b, a));
        prop_assert_eq!(a.saturating_distance_from(b), 0);
    }

    #[test]
    fn ranges_are_sets(start: u32, a in 0u32..1000, len in 0u32..1000, b in 0u32..1000, other in 0u32..1000) {
        let base = SeqNum::new(start);
        let x = SeqRange::new(base.plus(a), len);
        let y = SeqRange::new(base.plus(b), other);
        let inside = |range: SeqRange, n: u32| range.contains(base.plus(n));
        let both = (0..2000).filter(|&n| inside(x, n) && inside(y, n)).count();
        prop_assert_eq!((0..2000).filter(|&n| inside(x, n)).count() as u32, x.len());
        prop_assert!(both == 0 || x.touches(y));
        prop_assert_eq!(x.touches(y), y.touches(x));
        if x.covers(y) {
            prop_assert_eq!(both as u32, y.len());
        }
        let hull = x.hull(y);
        prop_assert!(hull.covers(x) && hull.covers(y));
        prop_assert!(hull.len() >= x.len().max(y.len()));
    }

    #[test]
    fn scaled_windows_lose_less_than_one_step(octets in 0u32..1 << 30, shift in 0u8..20) {
        let scale = WindowScale::new(shift);
        let window = WindowSize::new(octets);
        let back = scale.scale_up(scale.scale_down(window)).octets();
        prop_assert!(back <= window.octets());
        let largest = scale.largest_window().octets();
        prop_assert!(window.octets().min(largest) - back < scale.granularity());
        let fitting = WindowScale::for_window(octets);
        prop_assert!(fitting == WindowScale::MAX || octets >> fitting.shift() <= 0xffff);
    }
}
