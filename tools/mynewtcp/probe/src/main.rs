// SPDX-License-Identifier: GPL-2.0

//! Moves bytes over NEW_TCP, or over TCP to compare, and measures it.
//!
//! - [`adopt`]: a socket from elsewhere as the standard library's.
//! - [`family`]: how to open a socket of either protocol.
//! - [`route`]: over loopback, or between network namespaces.
//! - [`echo`]: many connections at once, each verified; used by the selftests.
//! - [`bench`]: round trips, whole connections and bulk on one connection.
//! - [`crowd`]: idle connections, and round trips among many.
//! - [`spread`]: listeners that share a port, on several processors.
//! - [`link`]: bulk between two machines.
//! - [`meter`]: what a stretch of work cost, as a line of JSON.
//! - [`peer`]: the child process at the other end of a benchmark.

mod adopt;
mod bench;
mod crowd;
mod echo;
mod family;
mod link;
mod meter;
mod peer;
mod route;
mod spread;

use clap::{
    Args,
    Parser,
    Subcommand, //
};
use family::Transport;
use route::Route;
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

/// A stream's size.
#[derive(Args, Clone, Copy)]
struct Load {
    /// Bytes to measure.
    #[arg(long, default_value_t = 256 << 20)]
    bytes: u64,
    /// Bytes per write.
    #[arg(long, default_value_t = 64 << 10)]
    chunk: usize,
}

#[derive(Subcommand)]
enum Command {
    /// Round trips on one connection.
    Rr {
        #[command(flatten)]
        route: Route,
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
        #[command(flatten)]
        route: Route,
        #[command(flatten)]
        load: Load,
    },
    /// Connections that are opened and held.
    Idle {
        /// How many.
        #[arg(long, default_value_t = 1_000)]
        count: usize,
    },
    /// Round trips, each on the next of many connections.
    Active {
        /// How many connections.
        #[arg(long, default_value_t = 1_000)]
        connections: usize,
        /// Round trips to measure.
        #[arg(long, default_value_t = 10_000)]
        count: u64,
    },
    /// Whole connections to listeners that share a port.
    Spread {
        /// Processors, each with a listener and a client.
        #[arg(long, default_value_t = 2)]
        processors: usize,
        /// Connections of each client.
        #[arg(long, default_value_t = 1_000)]
        count: u64,
    },
    /// The reading end of a stream between two machines.
    LinkServer {
        /// Address and port.
        #[arg(long)]
        listen: SocketAddr,
        #[command(flatten)]
        load: Load,
    },
    /// The writing end of it.
    LinkClient {
        /// Address and port of the reading end.
        #[arg(long)]
        connect: SocketAddr,
        #[command(flatten)]
        load: Load,
    },
    /// Send back whatever comes on the socket that is standard input.
    Adopt {
        /// What it is.
        what: adopt::What,
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
    match &arguments.command {
        Command::Rr { route, count, size } => bench::round_trips(transport, route, *count, *size),
        Command::Crr { count } => bench::connections(transport, *count),
        Command::Bulk { route, load } => bench::bulk(transport, route, load.bytes, load.chunk),
        Command::Idle { count } => crowd::idle(transport, *count),
        Command::Active { connections, count } => crowd::active(transport, *connections, *count),
        Command::Spread { processors, count } => spread::spread(transport, *processors, *count),
        Command::LinkServer { listen, load } => {
            link::serve(transport, *listen, load.bytes, load.chunk)
        }
        Command::LinkClient { connect, load } => {
            link::send(transport, *connect, load.bytes, load.chunk)
        }
        Command::Adopt { what } => adopt::adopt(*what),
        Command::EchoServer {
            listen,
            connections,
        } => echo::serve(transport, *listen, *connections),
        Command::EchoClient {
            connect,
            connections,
            bytes,
        } => echo::check(transport, *connect, *connections, *bytes),
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
