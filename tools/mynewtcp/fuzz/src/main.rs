// SPDX-License-Identifier: GPL-2.0

//! `mynewtcp-fuzz`: runs single inputs, and moves the kept ones between their file and libFuzzer.

use std::path::Path;
use std::process::ExitCode;

use mynewtcp_fuzz::{
    corpus,
    TARGETS, //
};

const USAGE: &str = "\
usage: mynewtcp-fuzz run TARGET FILE
       mynewtcp-fuzz unpack TARGET DIR
       mynewtcp-fuzz pack TARGET DIR

  run     feed what is in FILE to TARGET (parser, segment, connection)
  unpack  make a file in DIR of each kept input
  pack    keep the inputs in DIR instead";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let [verb, target, path] = words[..] else {
        println!("{USAGE}");
        return ExitCode::from(2);
    };
    let Some((_, run)) = TARGETS.iter().find(|(name, _)| *name == target) else {
        eprintln!("mynewtcp-fuzz: there is no target {target}");
        return ExitCode::from(2);
    };
    let path = Path::new(path);
    let done = match verb {
        "run" => std::fs::read(path).map(|input| run(&input)),
        "unpack" => corpus::unpack(target, path),
        "pack" => corpus::pack(target, path),
        _ => {
            println!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mynewtcp-fuzz: {}: {error}", path.display());
            ExitCode::FAILURE
        }
    }
}
