// SPDX-License-Identifier: GPL-2.0

use super::*;

fn round<T: Packed>(value: &T) -> T {
    let Some(dormant) = Dormant::of(value) else {
        panic!("there is no room");
    };
    T::unpack(&mut Unpacker::new(dormant.as_ref()))
}

#[test]
fn every_length_comes_back() {
    let lengths = [1, 8, 16, 24, 32, 40, 48, 56, 63].map(|bits| 1u64 << bits);
    let lengths = lengths.map(|power| [power - 1, power, power + 1]);
    assert_eq!(round(&lengths), lengths);
    assert_eq!(
        round(&[0, 1, 5, 6, 7, 8, u64::MAX]),
        [0, 1, 5, 6, 7, 8, u64::MAX]
    );
    assert_eq!(round(&[0, u8::MAX, 254, 1]), [0, u8::MAX, 254, 1]);
    assert_eq!(
        round(&[u32::MAX, 0, u32::MAX - 1]),
        [u32::MAX, 0, u32::MAX - 1]
    );
}

#[test]
fn noughts_come_back_in_any_number() {
    for n in 0..=40u32 {
        let numbers: [u32; 64] = core::array::from_fn(|i| u32::from(i as u32 >= n) * 77);
        assert_eq!(round(&numbers), numbers, "{n}");
    }
    assert_eq!(round(&[0u16; 90]), [0; 90]);
    assert_eq!(Dormant::of(&[0u16; 34]).map(|it| it.len), Some(2));
}

#[test]
fn both_halves_and_all_times_come_back() {
    let seqs = [7, 0, u32::MAX, 1 << 31, (1 << 31) - 1, 8, 9, 1 << 31, 7, 0].map(SeqNum::new);
    assert_eq!(round(&seqs), seqs);
    let times = [0, 1, u64::MAX, 2, u64::MAX - 1, 1 << 62, 0, 1 << 62, 3];
    let times = times.map(Instant::from_nanos);
    assert_eq!(round(&times), times);
    let extremes = [1, (1 << 63) + 1].map(Instant::from_nanos);
    let back = Dormant::of(&extremes).map(|it| it.record);
    assert!(back.is_none(), "a distance that has no number was packed");
}

#[test]
fn what_does_not_fit_is_left() {
    let numbers: [u64; 29] = core::array::from_fn(|i| u64::MAX / 2 - i as u64 - 1);
    assert_eq!(round(&numbers), numbers);
    let numbers: [u64; 31] = core::array::from_fn(|i| u64::MAX / 2 - i as u64 - 1);
    assert!(Dormant::of(&numbers).is_none());
}
