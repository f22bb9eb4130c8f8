// SPDX-License-Identifier: GPL-2.0

//! The inputs worth keeping: one file per target, one input per line, in hexadecimal, so that a
//! change of them is a diff like any other.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{
    Path,
    PathBuf, //
};

/// First line of each file.
const HEAD: &str =
    "# SPDX-License-Identifier: GPL-2.0\n# Inputs for the fuzz target of this name.\n";

/// Where the inputs of `target` are kept.
pub fn file_of(target: &str) -> PathBuf {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    home.join("corpus").join(format!("{target}.hex"))
}

/// The kept inputs of `target`.
pub fn load(target: &str) -> io::Result<Vec<Vec<u8>>> {
    let text = fs::read_to_string(file_of(target))?;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(decode).collect()
}

fn decode(line: &str) -> io::Result<Vec<u8>> {
    let bad = || {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("not hexadecimal: {line}"),
        )
    };
    let pairs = line.as_bytes().chunks(2);
    pairs
        .map(|pair| {
            let pair = std::str::from_utf8(pair).map_err(|_| bad())?;
            u8::from_str_radix(pair, 16).map_err(|_| bad())
        })
        .collect()
}

/// `input` in hexadecimal.
pub fn encode(input: &[u8]) -> String {
    let mut text = String::new();
    for octet in input {
        let _ = write!(text, "{octet:02x}");
    }
    text
}

/// Makes a file per kept input in `dir`, for libFuzzer.
pub fn unpack(target: &str, dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    for (n, input) in load(target)?.iter().enumerate() {
        fs::write(dir.join(format!("kept-{n:04}")), input)?;
    }
    Ok(())
}

/// Inputs of one target that are kept at most.
const KEPT: usize = 120;

/// Keeps what is in the files of `dir`, the short ones first; of too many, some of each length.
pub fn pack(target: &str, dir: &Path) -> io::Result<()> {
    let mut inputs = Vec::new();
    for entry in fs::read_dir(dir)? {
        inputs.push(fs::read(entry?.path())?);
    }
    inputs.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    inputs.dedup();
    inputs.retain(|input| !input.is_empty());
    let step = inputs.len().div_ceil(KEPT).max(1);
    let mut text = String::from(HEAD);
    for input in inputs.iter().step_by(step) {
        let _ = writeln!(text, "{}", encode(input));
    }
    fs::write(file_of(target), text)
}
