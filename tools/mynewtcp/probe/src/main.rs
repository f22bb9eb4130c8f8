// SPDX-License-Identifier: GPL-2.0

//! Moves bytes over NEW_TCP, or over TCP to compare, and measures it.
//!
//! - [`family`]: how to open a socket of either protocol.
//! - [`echo`]: many connections at once, each verified; used by the selftests.
//! - [`bench`]: round trips, whole connections and bulk on loopback.
//! - [`peer`]: the child process at the other end of a benchmark.

mod bench;
mod echo;
mod family;
mod peer;

use clap::{
    Parser,
    Subcommand, //
};
use family::Transport;
use std::{
    io,
    net::SocketAddr,
    process::ExitCode, //
};

/// Moves bytes over NEW_TCP, or over TCP to compare, and measures it.
#[derive(Parser)]
#[command(name = "mynewtcp-probe", version)]
struct Arguments {
    #[command(flatten)]
    transport: Transport,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Round trips on one connection.
    Rr {
        /// Round trips to measure; a tenth as many warm up.
        #[arg(long, default_value_t = 20_000)]
        count: u64,
        /// Bytes each way.
        #[arg(long, default_value_t = 1)]
        size: usize,
    },
    /// Connect, request, response, close.
    Crr {
        /// Connections to measure; a tenth as many warm up.
        #[arg(long, default_value_t = 2_000)]
        count: u64,
    },
    /// One stream, as fast as it goes.
    Bulk {
        /// Bytes to measure.
        #[arg(long, default_value_t = 256 << 20)]
        bytes: u64,
        /// Bytes per write.
        #[arg(long, default_value_t = 64 << 10)]
        chunk: usize,
    },
    /// Send back whatever comes, on many connections.
    EchoServer {
        /// Address and port.
        #[arg(long)]
        listen: SocketAddr,
        /// Leave after that many connections have ended.
        #[arg(long)]
        connections: usize,
    },
    /// Open many connections at once and check that each echoes what it is sent.
    EchoClient {
        /// Address and port of an echo server.
        #[arg(long)]
        connect: SocketAddr,
        /// How many are open at the same time.
        #[arg(long)]
        connections: usize,
        /// Bytes on each.
        #[arg(long, default_value_t = 65_536)]
        bytes: usize,
    },
}

fn run(arguments: &Arguments) -> io::Result<String> {
    let transport = &arguments.transport;
    match arguments.command {
        Command::Rr { count, size } => bench::round_trips(transport, count, size),
        Command::Crr { count } => bench::connections(transport, count),
        Command::Bulk { bytes, chunk } => bench::bulk(transport, bytes, chunk),
        Command::EchoServer {
            listen,
            connections,
        } => echo::serve(transport, listen, connections),
        Command::EchoClient {
            connect,
            connections,
            bytes,
        } => echo::check(transport, connect, connections, bytes),
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("mynewtcp-probe: {error}");
            ExitCode::FAILURE
        }
    }
}
