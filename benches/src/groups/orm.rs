//! Calls of the ORM as the guest sees them, beside `rusqlite` in thread into the same structs.

use anyhow::{Result, bail};

use super::{GENEROUS, in_guest, seed};
use crate::Plan;
use crate::guest;
use crate::host::Host;
use crate::native::Native;
use crate::report::{Row, Target};
use crate::sample::{Series, median};
use crate::wrk::{Load, Run};

/// Name in the table, name on both sides, iterations a round, batch, targets.
type Work = (&'static str, &'static str, u64, u64, &'static [Target]);

const DURABLE: &[Target] = &[Target::RatioAtMost(1.25)];

const WORK: &[Work] = &[
    ("select by primary key", "pk", 40_000, 100, &[Target::RatioAtMost(1.6), Target::AtMost(9.12)]),
    ("10-row JOIN, select_related", "join", 10_000, 20, &[Target::RatioAtMost(2.0), Target::AtMost(34.74)]),
    ("1,000 rows into structs", "rows", 200, 1, &[Target::RatioAtMost(2.0)]),
    ("count with filter", "count", 10_000, 20, &[]),
    ("exists on a unique field", "exists", 20_000, 100, &[]),
    ("values, 10 rows of 2 columns", "values", 10_000, 20, &[]),
    ("only, 10 rows of 2 columns", "only", 10_000, 20, &[]),
    ("insert, durable, alone", "insert", 600, 1, DURABLE),
    ("update by primary key, durable, alone", "update", 600, 1, DURABLE),
    ("delete by primary key, durable, alone", "delete", 600, 1, DURABLE),
];

fn writes(work: &str) -> bool {
    matches!(work, "insert" | "update" | "delete")
}

const WRITERS: u64 = 64;

pub fn run(plan: &Plan) -> Result<Vec<Row>> {
    let host = Host::start(plan, &format!("[plugins.bench]\n{GENEROUS}\n"))?;
    host.deploy("bench", "/", guest::plugin()?)?;
    seed(&host)?;
    let native = Native::open(&host.database())?;
    let mut rows = Vec::new();
    let mut alone = Series::default();
    for (name, work, n, batch, targets) in WORK {
        let n = (n / plan.divide).max(*batch);
        let (mut ours, mut theirs) = (Series::default(), Series::default());
        // Once for the caches, plans and statements.
        in_guest(&host, work, (n / 10).max(*batch), *batch)?;
        native.run(work, (n / 10).max(*batch), *batch)?;
        for _ in 0..plan.rounds.max(5) {
            let (mine, other) = (in_guest(&host, work, n, *batch)?, native.run(work, n, *batch)?);
            if writes(work) {
                ours.push_batches(&mine);
                theirs.push_batches(&other);
            } else {
                ours.push_computing(&mine);
                theirs.push_computing(&other);
            }
        }
        let mut row = Row::compare_us(*name, &ours, "rusqlite, cached statement, in thread", &theirs);
        if !targets.is_empty() {
            row = row.target(targets);
        }
        eprintln!("{name}: {:.2} µs, rusqlite {:.2} µs", row.value, theirs.median() / 1e3);
        rows.push(row);
        if *work == "insert" {
            alone = ours;
        }
    }
    let rusqlite_alone =
        rows.iter().find(|r| r.name.starts_with("insert")).and_then(|r| r.baseline_value).unwrap_or(f64::NAN);

    // 64 writers inside one guest, all awaited together.
    let each = (200 / plan.divide).max(1);
    let (mut one, mut many) = (Series::default(), Series::default());
    for _ in 0..plan.rounds.max(5) {
        one.push_batches(&in_guest(&host, "insert", 600 / plan.divide, 1)?);
        many.push_batches(&in_guest(&host, "writers", each * WRITERS, WRITERS)?);
    }
    let per_second = |ns: f64| 1e9 / ns;
    rows.push(
        Row::new("insert, durable, 64 writers in one guest", "rows/s", per_second(many.median()))
            .against("one writer, same host", per_second(one.median()))
            .target(&[Target::RatioAtLeast(20.0)])
            .extra("times_rusqlite_alone", rusqlite_alone * 1e3 / many.median()),
    );

    // 64 writers over HTTP.
    let post = |connections| {
        Load::post(host.url("/hits"), plan.seconds, r#"{"path":"/over/http","hits":1}"#).connections(connections)
    };
    let (mut single, mut crowd): (Vec<Run>, Vec<Run>) = (Vec::new(), Vec::new());
    post(64).run()?;
    for _ in 0..plan.rounds {
        for (connections, runs) in [(1, &mut single), (64, &mut crowd)] {
            let run = post(connections).run_against(&host.process)?;
            if run.failed() > 0 {
                bail!("{} of {} inserts over HTTP failed", run.failed(), run.requests);
            }
            runs.push(run);
        }
    }
    let over = |runs: &[Run], of: &dyn Fn(&Run) -> f64| median(&runs.iter().map(of).collect::<Vec<_>>());
    rows.push(
        Row::new("insert, durable, 64 writers over HTTP", "requests/s", over(&crowd, &Run::per_second))
            .percentiles(over(&crowd, &|r| r.p50), over(&crowd, &|r| r.p95), over(&crowd, &|r| r.p99))
            .against("one writer over HTTP", over(&single, &Run::per_second))
            .target(&[Target::RatioAtLeast(20.0)])
            .extra("cpu_us", over(&crowd, &|r| r.cpu_us))
            .extra("times_rusqlite_alone", over(&crowd, &Run::per_second) * rusqlite_alone / 1e6),
    );
    eprintln!("one writer: {:.1} µs; the native copy lay in {}", alone.median() / 1e3, native.directory().display());
    Ok(rows)
}
