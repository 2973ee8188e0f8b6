//! Whole requests over keep-alive connections, beside a bare hyper server.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};

use super::{GENEROUS, seed};
use crate::Plan;
use crate::bare_hyper::{self, Flavour};
use crate::guest;
use crate::host::Host;
use crate::process::Process;
use crate::report::{Row, Target};
use crate::sample::median;
use crate::wrk::{Load, Run};

/// One server and one URL in the contest.
struct Contestant<'a> {
    name: &'static str,
    server: &'a Process,
    load: Load,
    runs: Vec<Run>,
}

pub fn run(plan: &Plan) -> Result<Vec<Row>> {
    let wasm = guest::plugin()?;
    let warm = Host::start(plan, &format!("[plugins.bench]\n{GENEROUS}\n"))?;
    warm.deploy("bench", "/", wasm)?;
    seed(&warm)?;
    let fresh =
        Host::start(plan, &format!("[plugins.bench]\n{}\n", GENEROUS.replace("{ ", "{ isolation = \"request\", ")))?;
    fresh.deploy("bench", "/", wasm)?;
    seed(&fresh)?;
    let (multi, multi_at) = bare_hyper::spawn(Flavour::MultiThread)?;
    let (per_core, per_core_at) = bare_hyper::spawn(Flavour::PerCore)?;

    for host in [&warm, &fresh] {
        let hello = host.get("/hello")?;
        let user = host.get("/users/4711")?;
        if hello != "Hello, World!" || !user.contains("\"user-4711\"") {
            bail!("the plugin answers {hello:?} and {user:?}");
        }
    }

    let url = |at: SocketAddr| format!("http://{at}/");
    let get = |url: String| Load::get(url, plan.seconds);
    let mut contest = [
        Contestant::new("bare hyper, multi-thread", &multi, get(url(multi_at))),
        Contestant::new("hello, warm instances", &warm.process, get(warm.url("/hello"))),
        Contestant::new("bare hyper, per-core", &per_core, get(url(per_core_at))),
        Contestant::new("JSON of one row by primary key, warm", &warm.process, get(warm.url("/users/4711"))),
        Contestant::new("hello, fresh instance each request", &fresh.process, get(fresh.url("/hello"))),
        Contestant::new("JSON of one row by primary key, fresh", &fresh.process, get(fresh.url("/users/4711"))),
        Contestant::new("bare hyper, multi-thread, one load thread", &multi, get(url(multi_at)).threads(1)),
        Contestant::new("bare hyper, per-core, one load thread", &per_core, get(url(per_core_at)).threads(1)),
        Contestant::new("hello, warm instances, one load thread", &warm.process, get(warm.url("/hello")).threads(1)),
    ];
    for contestant in &contest {
        contestant.load.run()?;
    }
    let count = contest.len();
    for round in 0..plan.rounds {
        eprintln!("round {} of {}", round + 1, plan.rounds);
        // Another one begins each round, so that nobody always runs after the heaviest.
        for step in 0..count {
            let contestant = &mut contest[(round + step) % count];
            let run = contestant.load.run_against(contestant.server)?;
            if run.failed() > 0 {
                bail!("{}: {} of {} requests failed", contestant.name, run.failed(), run.requests);
            }
            contestant.runs.push(run);
        }
    }

    // The faster of the two flavours, under the same load.
    let baseline = |one_thread: bool| {
        let bare = contest.iter().filter(|c| c.name.starts_with("bare") && c.has_one_thread() == one_thread);
        bare.max_by(|a, b| a.per_second().total_cmp(&b.per_second())).context("no baseline")
    };
    let (full, one) = (baseline(false)?, baseline(true)?);
    let mut rows: Vec<Row> = Vec::new();
    for contestant in &contest {
        let mut row = contestant.row();
        if !contestant.name.starts_with("bare") {
            let bare = if contestant.has_one_thread() { one } else { full };
            row = row.against(format!("{}, hello", bare.name), bare.per_second()).extra("baseline_cpu_us", bare.cpu());
        }
        rows.push(match contestant.name {
            "hello, warm instances" => row.target(&[Target::RatioAtLeast(0.85)]),
            "JSON of one row by primary key, warm" => row.target(&[Target::RatioAtLeast(0.60)]),
            "hello, fresh instance each request" => row.target(&[Target::RatioAtLeast(0.40)]),
            _ => row,
        });
    }
    Ok(rows)
}

impl<'a> Contestant<'a> {
    fn new(name: &'static str, server: &'a Process, load: Load) -> Self {
        Contestant { name, server, load, runs: Vec::new() }
    }

    fn has_one_thread(&self) -> bool {
        self.name.ends_with(", one load thread")
    }

    fn over_rounds(&self, of: impl Fn(&Run) -> f64) -> f64 {
        median(&self.runs.iter().map(of).collect::<Vec<_>>())
    }

    fn per_second(&self) -> f64 {
        self.over_rounds(Run::per_second)
    }

    fn cpu(&self) -> f64 {
        self.over_rounds(|r| r.cpu_us)
    }

    /// Requests a second; latencies in microseconds, each the median over the rounds.
    fn row(&self) -> Row {
        Row::new(self.name, "requests/s", self.per_second())
            .percentiles(self.over_rounds(|r| r.p50), self.over_rounds(|r| r.p95), self.over_rounds(|r| r.p99))
            .extra("cpu_us", self.cpu())
    }
}
