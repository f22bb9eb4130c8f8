// SPDX-License-Identifier: GPL-2.0

//! `mynewtcp-sim`: runs many seeds, or one with a log.

use std::process::ExitCode;
use std::sync::atomic::{
    AtomicU64,
    Ordering, //
};
use std::time::Instant;

use mynewtcp_engine::engine::selftest::player::play;
use mynewtcp_sim::figures::{
    figures,
    KEPT, //
};
use mynewtcp_sim::rng::mix;
use mynewtcp_sim::scenario::Scenario;
use mynewtcp_sim::vectors;
use mynewtcp_sim::world::{
    run,
    Outcome, //
};

const USAGE: &str = "\
usage: mynewtcp-sim [--seeds N] [--start N] [--jobs N]
       mynewtcp-sim --seed N [--trace] [--vector FILE [--host N]]
       mynewtcp-sim --play FILE
       mynewtcp-sim --figures [--write]
       mynewtcp-sim --vectors

Runs NEW_TCP's engine against itself over a simulated network. Each seed is one
scenario. A failing seed is printed with the command that runs it alone.

  --seeds N   run N seeds (default 1000)
  --start N   begin with seed N (default 0)
  --jobs N    run N at a time (default: one per CPU)
  --seed N    run this seed alone, and say what it is about
  --trace     with --seed: print every segment
  --vector F  with --seed: write what one host was given and what it answered, in
              the language that the tests in the kernel play
  --host N    with --vector: which host (default 0)
  --play F    play such a file
  --vectors   choose runs to keep, and write them for those tests
  --figures   print the table of goodput, fairness and recovery times
  --write     with --figures: keep it, for the tests to compare with";

/// How to run this program from the top of the checkout.
const REPLAY: &str = "scripts/env cargo run --release -q -p mynewtcp-sim --";

struct Arguments {
    seeds: u64,
    start: u64,
    jobs: u64,
    seed: Option<u64>,
    trace: bool,
    figures: bool,
    write: bool,
    vectors: bool,
    vector: Option<String>,
    play: Option<String>,
    host: u64,
}

impl Arguments {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self {
            seeds: 1000,
            start: 0,
            jobs: std::thread::available_parallelism().map_or(1, |n| n.get() as u64),
            seed: None,
            trace: false,
            figures: false,
            write: false,
            vectors: false,
            vector: None,
            play: None,
            host: 0,
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            let mut number = || {
                let value = value()?;
                value.parse().map_err(|_| format!("{value} is no number"))
            };
            match word.as_str() {
                "--seeds" => arguments.seeds = number()?,
                "--start" => arguments.start = number()?,
                "--jobs" => arguments.jobs = number()?.max(1),
                "--seed" => arguments.seed = Some(number()?),
                "--trace" => arguments.trace = true,
                "--figures" => arguments.figures = true,
                "--write" => arguments.write = true,
                "--vectors" => arguments.vectors = true,
                "--host" => arguments.host = number()?,
                "--vector" => arguments.vector = Some(value()?),
                "--play" => arguments.play = Some(value()?),
                "--help" | "-h" => return Err(String::new()),
                _ => return Err(format!("unknown argument {word}")),
            }
        }
        Ok(arguments)
    }
}

fn main() -> ExitCode {
    match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => execute(&arguments),
        Err(why) if why.is_empty() => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("mynewtcp-sim: {why}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn execute(arguments: &Arguments) -> ExitCode {
    if arguments.figures {
        return show_figures(arguments.write);
    }
    if arguments.vectors {
        return report(vectors::write());
    }
    if let Some(path) = &arguments.play {
        return report(play_file(path));
    }
    match (arguments.seed, &arguments.vector) {
        (Some(seed), Some(path)) => report(write_vector(seed, arguments.host as usize, path)),
        (Some(seed), None) => run_one(seed, arguments.trace),
        (None, _) => run_many(arguments),
    }
}

fn report(result: Result<String, String>) -> ExitCode {
    match result {
        Ok(word) => {
            println!("{word}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("mynewtcp-sim: {why}");
            ExitCode::FAILURE
        }
    }
}

fn write_vector(seed: u64, host: usize, path: &str) -> Result<String, String> {
    let scenario = Scenario::new(seed);
    if host >= scenario.hosts.len() {
        return Err(format!("seed {seed} has {} hosts", scenario.hosts.len()));
    }
    let (script, result) = vectors::record(&scenario, host);
    std::fs::write(path, script).map_err(|why| format!("{path}: {why}"))?;
    let word = result.err().unwrap_or("passed".into());
    Ok(format!("seed {seed}, host {host}, {path}: {word}"))
}

fn play_file(path: &str) -> Result<String, String> {
    let script = std::fs::read_to_string(path).map_err(|why| format!("{path}: {why}"))?;
    match play::<4096>(&script) {
        Ok(()) => Ok(format!("{path} passed")),
        Err(wrong) => Err(format!("{path}:{}: {}", wrong.line, wrong.what)),
    }
}

fn show_figures(write: bool) -> ExitCode {
    let table = figures();
    if !write {
        print!("{table}");
    } else if let Err(why) = std::fs::write(KEPT, table) {
        eprintln!("mynewtcp-sim: {KEPT}: {why}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn guarded(seed: u64, trace: bool) -> Result<Outcome, String> {
    let result = std::panic::catch_unwind(|| run(&Scenario::new(seed), trace));
    result.map_err(|_| "panic".into())
}

fn run_one(seed: u64, trace: bool) -> ExitCode {
    let scenario = Scenario::new(seed);
    println!("{scenario:#?}");
    let outcome = match guarded(seed, trace) {
        Ok(outcome) => outcome,
        Err(why) => {
            println!("seed {seed}: {why}");
            return ExitCode::FAILURE;
        }
    };
    for line in &outcome.log {
        println!("{line}");
    }
    println!(
        "seed {seed}: {} events, {} segments, {:.3} s of virtual time, digest {:016x}",
        outcome.events,
        outcome.segments,
        outcome.nanos as f64 / 1e9,
        outcome.digest,
    );
    match outcome.failure {
        None => {
            println!("seed {seed} passed");
            ExitCode::SUCCESS
        }
        Some(why) => {
            println!("seed {seed} failed: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run_many(arguments: &Arguments) -> ExitCode {
    let begun = Instant::now();
    let end = arguments.start.saturating_add(arguments.seeds);
    let next = AtomicU64::new(arguments.start);
    let (failed, segments) = (AtomicU64::new(0), AtomicU64::new(0));
    let digest = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs {
            scope.spawn(|| loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= end {
                    return;
                }
                let failure = match guarded(seed, false) {
                    Ok(outcome) => {
                        segments.fetch_add(outcome.segments, Ordering::Relaxed);
                        // A sum, so that it does not matter which seed was ready first.
                        digest.fetch_add(mix(outcome.digest), Ordering::Relaxed);
                        outcome.failure
                    }
                    Err(why) => Some(why),
                };
                if let Some(why) = failure {
                    failed.fetch_add(1, Ordering::Relaxed);
                    println!("seed {seed} failed: {why}");
                    println!("  replay: {REPLAY} --seed {seed} --trace");
                }
            });
        }
    });
    let (failed, segments) = (failed.into_inner(), segments.into_inner());
    let seconds = begun.elapsed().as_secs_f64();
    println!("{} seeds, {segments} segments", arguments.seeds);
    println!("digest {:016x}", digest.into_inner());
    println!("{seconds:.1} s");
    println!("{} passed, {failed} failed", arguments.seeds - failed);
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
