// SPDX-License-Identifier: GPL-2.0

//! `mynewtcp-explore`: explores all small worlds, or one.

use std::process::ExitCode;
use std::time::{
    Duration,
    Instant, //
};

use mynewtcp_explore::edges::Coverage;
use mynewtcp_explore::engine::fault::Fault;
use mynewtcp_explore::report;
use mynewtcp_explore::scenario::Scenario;
use mynewtcp_explore::search::{
    explore,
    Limits, //
};

const USAGE: &str = "\
usage: mynewtcp-explore [--only NAME] [--states N] [--seconds N] [--fault NAME]
       mynewtcp-explore --list

Tries everything that can happen between two NEW_TCP engines in small worlds, and
prints how often each edge of RFC 9293's state diagram was taken. What goes wrong
is printed with the shortest way to it.

  --only NAME   explore this world alone
  --states N    stop in each world after N states
  --seconds N   stop in each world after N seconds
  --fault NAME  put a mistake into the engine, to see that it is found
  --list        say which worlds and which faults there are";

struct Arguments {
    only: Option<Scenario>,
    limits: Limits,
    fault: Option<Fault>,
    list: bool,
}

impl Arguments {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self {
            only: None,
            limits: Limits::NONE,
            fault: None,
            list: false,
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            let number = |text: String| {
                let number = text.parse::<u64>();
                number.map_err(|_| format!("{text} is no number"))
            };
            match word.as_str() {
                "--only" => {
                    let name = value()?;
                    let world = Scenario::named(&name);
                    arguments.only = Some(world.ok_or(format!("there is no world {name}"))?);
                }
                "--states" => arguments.limits.states = number(value()?)? as usize,
                "--seconds" => arguments.limits.time = Duration::from_secs(number(value()?)?),
                "--fault" => arguments.fault = Some(fault(&value()?)?),
                "--list" => arguments.list = true,
                "--help" | "-h" => return Err(String::new()),
                _ => return Err(format!("unknown argument {word}")),
            }
        }
        Ok(arguments)
    }
}

fn fault(name: &str) -> Result<Fault, String> {
    let mut faults = Fault::ALL.into_iter();
    let found = faults.find(|fault| format!("{fault:?}") == name);
    found.ok_or(format!("there is no fault {name}"))
}

fn main() -> ExitCode {
    match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) if arguments.list => list(),
        Ok(arguments) => run(&arguments),
        Err(why) if why.is_empty() => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("mynewtcp-explore: {why}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn list() -> ExitCode {
    for scenario in Scenario::all() {
        println!("{:<18} {}", scenario.name, scenario.about);
    }
    for fault in Fault::ALL {
        println!("fault {fault:?}");
    }
    ExitCode::SUCCESS
}

fn run(arguments: &Arguments) -> ExitCode {
    let worlds = match &arguments.only {
        Some(world) => vec![world.clone()],
        None => Scenario::all(),
    };
    let whole = arguments.only.is_none();
    let mut coverage = Coverage::default();
    let (mut states, begin) = (0, Instant::now());
    for world in worlds {
        let world = match arguments.fault {
            Some(fault) => world.with_fault(fault),
            None => world,
        };
        let start = Instant::now();
        let outcome = explore(&world, arguments.limits);
        println!("{}", report::line(&world, &outcome, start.elapsed()));
        if let Some(text) = report::failure(&world, &outcome) {
            println!("{text}");
            return ExitCode::FAILURE;
        }
        states += outcome.states;
        coverage.add(&outcome.coverage);
    }
    println!(
        "\nEdges of the state diagram (RFC 9293, 3.3.2):\n{}",
        coverage.table()
    );
    let missing = coverage.missing();
    if whole && !missing.is_empty() {
        println!("never taken: {missing:?}");
        return ExitCode::FAILURE;
    }
    let seconds = begin.elapsed().as_secs_f64();
    println!("{states} states in {seconds:.1} s, nothing wrong with any of them");
    ExitCode::SUCCESS
}
