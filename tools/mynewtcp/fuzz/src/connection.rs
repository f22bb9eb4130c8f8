// SPDX-License-Identifier: GPL-2.0

//! Whole connections: everything that a user, a peer, a network and a host short of memory do.

use crate::driver::Driver;
use crate::engine::error::IcmpError;
use crate::engine::seq::Mss;
use crate::engine::time::Delta;
use crate::input::Input;

/// Drives a connection.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let mut driver = Driver::new(&mut input);
    while !input.is_empty() {
        let what = input.u8();
        match what & 0x0f {
            0..=4 => {
                let segment = driver.near(&mut input);
                driver.feed(&segment);
            }
            5 => {
                driver.pass_to_deadline();
            }
            6 => driver.pass(Delta::from_micros(u64::from(input.u16()) * 10)),
            7 | 8 => write(&mut driver, &mut input, what),
            9 => driver.read(),
            10 => let_go(&mut driver, what),
            11 => icmp(&mut driver, &mut input, what),
            12 => {
                let mss = Mss::new(input.u16());
                let (connection, mut cx) = driver.parts();
                connection.on_mtu_change(&mut cx, mss);
            }
            13 => {
                driver.store.no_memory = what & 0x10 != 0;
                driver.store.pressure = what & 0x20 != 0;
                driver.transmit_fails = what & 0x40 != 0;
            }
            _ => choose(&mut driver, what),
        }
        driver.settle();
    }
    driver.end_in_silence();
}

fn write(driver: &mut Driver, input: &mut Input<'_>, what: u8) {
    let n = u32::from(input.u16()) % 20_000 + 1;
    if !driver.connection.can_send() || driver.connection.unsent() > 100_000 {
        return;
    }
    driver.store.write(n, driver.connection.size_goal());
    assert_eq!(driver.connection.send(n, what & 0x10 != 0), Ok(()));
}

fn let_go(driver: &mut Driver, what: u8) {
    let (connection, mut cx) = driver.parts();
    match (what >> 4) & 3 {
        0 | 1 => {
            let _ = connection.shutdown_write(&mut cx);
        }
        2 => connection.close(&mut cx),
        _ => connection.abort(&mut cx),
    }
}

fn icmp(driver: &mut Driver, input: &mut Input<'_>, what: u8) {
    let quoted = driver.connection.snd_una().plus(input.offset());
    let error = match (what >> 4) & 7 {
        0 => IcmpError::NetworkUnreachable,
        1 => IcmpError::HostUnreachable,
        2 => IcmpError::ProtocolUnreachable,
        3 => IcmpError::PortUnreachable,
        4 => IcmpError::Prohibited,
        5 => IcmpError::TimeExceeded,
        _ => IcmpError::ParameterProblem,
    };
    let (connection, mut cx) = driver.parts();
    connection.on_icmp(&mut cx, quoted, error);
}

fn choose(driver: &mut Driver, what: u8) {
    let on = what & 0x10 != 0;
    let (connection, mut cx) = driver.parts();
    match (what >> 5) & 3 {
        0 => connection.set_nodelay(&mut cx, on),
        1 => connection.set_cork(&mut cx, on),
        2 => connection.set_quick_ack(&mut cx, on),
        _ => connection.set_keepalive(&mut cx, on),
    }
}
