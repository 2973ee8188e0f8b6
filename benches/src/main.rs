//! What we claim, measured. `make bench` runs every group, `make bench ONLY=http` one of them.
//!
//! Each row stands beside its baseline, interleaved in the same run (A B A B …), and carries the target it has to
//! meet. The driver is its own process: it starts a release build of `covet serve`, deploys the plugin of
//! `tests/plugins/bench` over the admin API, and loads it with `wrk`. `docs/benchmarks.md` says what each row means.

mod bare_hyper;
mod client;
mod groups;
mod guest;
mod host;
mod in_process;
mod native;
mod process;
mod raw_wasm;
mod report;
mod sample;
mod wrk;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

const USAGE: &str = "\
covet-bench [GROUP[,GROUP…]]… [--only GROUP[,GROUP…]] [--quick] [--rounds N] [--keep]
covet-bench bare-hyper [--flavour per-core|multi-thread] [--listen ADDR]
covet-bench in-process [--fresh] [--native] /PATH [TIMES]

Groups: http, orm, router, cache, memory, reload (all of them by default).
  --quick      short rounds and small inputs: does it run? The figures mean little
  --rounds N   rounds of each interleaved pair (default 5; --quick 1)
  --keep       keep the working directory with the host's state and log
Environment: COVET_BIN (the host to measure; default: built next to this binary),
COVET_BENCH_PLUGIN (the component to deploy; default: built from tests/plugins/bench).";

/// How long and how often; one value handed to every group.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Rounds of each interleaved comparison; the figure reported is their median.
    pub rounds: usize,
    /// Seconds of load in a round of `wrk`.
    pub seconds: f64,
    /// Divides iteration counts; 1 except with `--quick`.
    pub divide: u64,
    /// Keep the working directory.
    pub keep: bool,
}

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1).peekable();
    if args.peek().is_some_and(|a| a == "bare-hyper") {
        args.next();
        return bare_hyper::main(args);
    }
    if args.peek().is_some_and(|a| a == "in-process") {
        args.next();
        return in_process::main(args);
    }
    let mut only: Vec<String> = Vec::new();
    let mut quick = false;
    let mut rounds = None;
    let mut keep = false;
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--only" => {
                let list = args.next().context("--only needs the name of a group")?;
                only.extend(list.split(',').filter(|s| !s.is_empty()).map(str::to_owned));
            }
            "--quick" => quick = true,
            "--keep" => keep = true,
            "--rounds" => {
                rounds =
                    Some(args.next().context("--rounds needs a number")?.parse().context("--rounds needs a number")?)
            }
            "--help" | "-h" => {
                println!("{USAGE}");
                return Ok(());
            }
            group if !group.starts_with('-') => {
                only.extend(group.split(',').filter(|s| !s.is_empty()).map(str::to_owned))
            }
            other => bail!("unknown argument {other:?}\n{USAGE}"),
        }
    }
    let plan = Plan {
        rounds: rounds.unwrap_or(if quick { 1 } else { 5 }),
        seconds: if quick { 0.5 } else { 3.0 },
        divide: if quick { 20 } else { 1 },
        keep,
    };
    // Backtraces cost the host some 14 µs a fresh instance and are nobody's default: no child inherits the wish for them.
    process::raise_file_limit()?;
    for name in &only {
        if !groups::NAMES.contains(&name.as_str()) {
            bail!("no group {name:?}; there are {}", groups::NAMES.join(", "));
        }
    }
    let results = root().join("benches/results");
    let mut missed = 0;
    for name in groups::NAMES.iter().filter(|n| only.is_empty() || only.iter().any(|o| o == *n)) {
        eprintln!("── {name} ──");
        let group = groups::run(name, &plan).with_context(|| format!("group {name}"))?;
        print!("{}", group.table());
        missed += group.missed();
        if quick {
            eprintln!("--quick: {name}.json not written");
        } else {
            let file = group.save(&results)?;
            eprintln!("wrote {}", file.display());
        }
    }
    if missed > 0 {
        println!("{missed} row(s) miss their target");
    }
    Ok(())
}

/// The checkout this binary was built from.
pub fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
