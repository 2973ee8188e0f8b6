//! New code: how long it takes to be live, and what the swap costs those who are being served.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use super::GENEROUS;
use crate::Plan;
use crate::guest::{marked, marker, plugin};
use crate::host::Host;
use crate::raw_wasm::compile_and_load;
use crate::report::{Row, Target};
use crate::sample::{Series, percentile};
use crate::wrk::Load;

const SWAPS: u32 = 50;

pub fn run(plan: &Plan) -> Result<Vec<Row>> {
    let host = Host::start(plan, &format!("[plugins.bench]\n{GENEROUS}\n"))?;
    let wasm = plugin()?;
    let (first, second) = (marked(wasm, 1)?, marked(wasm, 2)?);

    // Never seen before: compiled.
    let (mut cold, mut raw_compile, mut raw_load) = (Series::default(), Series::default(), Series::default());
    host.deploy("bench", "/", &first)?;
    for round in 0..plan.rounds as u32 {
        let number = 100 + round;
        cold.push_batches(&[live_after(&host, &marked(wasm, number)?, &marker(number))?]);
        let (compiled, loaded) = compile_and_load(wasm)?;
        raw_compile.push_batches(&[compiled.as_nanos() as f64]);
        raw_load.push_batches(&[loaded.as_nanos() as f64]);
    }
    // Both known from now on: mapped.
    host.deploy("bench", "/", &second)?;
    host.deploy("bench", "/", &first)?;
    let mut cached = Series::default();
    for round in 0..plan.rounds * 10 {
        let (bytes, number) = if round % 2 == 0 { (&second, 2) } else { (&first, 1) };
        cached.push_batches(&[live_after(&host, bytes, &marker(number))?]);
    }
    let ms = |series: &Series, p: f64| percentile(&series.samples, p) / 1e6;
    let row = |name: &str, series: &Series| {
        Row::new(name, "ms", series.median() / 1e6).percentiles(ms(series, 50.0), ms(series, 95.0), ms(series, 99.0))
    };
    let mut rows = vec![
        row("first deploy, upload to first answer of the new generation", &cold)
            .against("wasmtime, compile alone", raw_compile.median() / 1e6)
            .extra("component_bytes", wasm.len() as f64),
        row("cached deploy, upload to first answer of the new generation", &cached)
            .against("wasmtime, load of the compiled file alone", raw_load.median() / 1e6)
            .target(&[Target::AtMost(50.0)]),
    ];
    rows.extend(swaps(plan, &host, &first, &second)?);
    Ok(rows)
}

/// Nanoseconds from the start of an upload to the first answer from the new code, seen by a client that asks all the time.
fn live_after(host: &Host, wasm: &[u8], expected: &str) -> Result<f64> {
    let mut client = host.connect()?;
    // The connection is open and served before the clock starts.
    client.get("/marker")?;
    let start = Instant::now();
    let live = thread::scope(|scope| -> Result<Instant> {
        let seen = scope.spawn(move || -> Result<Instant> {
            while start.elapsed() < Duration::from_secs(120) {
                if client.get("/marker")?.text() == expected {
                    return Ok(Instant::now());
                }
                thread::sleep(Duration::from_micros(200));
            }
            bail!("{expected} did not answer within two minutes")
        });
        host.deploy("bench", "/", wasm)?;
        seen.join().map_err(|_| anyhow!("the client panicked"))?
    })?;
    Ok((live - start).as_nanos() as f64)
}

/// 50 swaps in a row while `wrk -c64` asks for the marker.
fn swaps(plan: &Plan, host: &Host, first: &[u8], second: &[u8]) -> Result<Vec<Row>> {
    let count = if plan.divide > 1 { 6 } else { SWAPS };
    let before = host.process.memory()?.resident as f64;
    let mut took = Series::default();
    let run = thread::scope(|scope| -> Result<_> {
        let seconds = f64::from(count) * 0.4;
        let load = scope.spawn(move || Load::get(host.url("/marker"), seconds).run());
        thread::sleep(Duration::from_millis(500));
        for swap in 0..count {
            if load.is_finished() {
                bail!("the load ended after {swap} of {count} swaps: each took over 0.4 s under load");
            }
            let (bytes, number) = if swap % 2 == 0 { (second, 2) } else { (first, 1) };
            let start = Instant::now();
            host.deploy("bench", "/", bytes).with_context(|| format!("swap {swap}"))?;
            took.push_batches(&[start.elapsed().as_nanos() as f64]);
            let answer = host.get("/marker")?;
            if answer != marker(number) {
                bail!("swap {swap}: {answer:?} answers after the deploy was acknowledged");
            }
        }
        load.join().map_err(|_| anyhow!("the load panicked"))?
    })?;
    thread::sleep(Duration::from_secs(2));
    let after = host.process.memory()?.resident as f64;
    let mib = 1048576.0;
    Ok(vec![
        Row::new(format!("{count} swaps under wrk -c64: failed requests"), "requests", run.failed() as f64)
            .percentiles(run.p50, run.p95, run.p99)
            .extra("requests", run.requests)
            .extra("requests_per_second", run.per_second())
            .target(&[Target::AtMost(0.0)]),
        Row::new("deploy under that load, acknowledged", "ms", took.median() / 1e6).percentiles(
            percentile(&took.samples, 50.0) / 1e6,
            percentile(&took.samples, 95.0) / 1e6,
            percentile(&took.samples, 99.0) / 1e6,
        ),
        Row::new("resident memory after the swaps", "MiB", after / mib).against("before them", before / mib),
    ])
}
