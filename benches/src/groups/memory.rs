//! What things weigh: a model instance, an idle plugin, an idle connection.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::{GENEROUS, seed};
use crate::Plan;
use crate::bare_hyper::{self, Flavour};
use crate::client::Connection;
use crate::guest;
use crate::host::Host;
use crate::process::Process;
use crate::report::{Row, Target};

const PLUGINS: u32 = 100;
const CONNECTIONS: usize = 10_000;
const MIB: f64 = 1048576.0;

/// The answer of the bench plugin's `/memory`.
#[derive(Debug, Deserialize)]
struct Instances {
    /// Instances loaded.
    count: f64,
    /// `size_of` one.
    size_of: f64,
    /// Bytes of heap that all of them hold, the vector's own buffer not counted.
    heap: f64,
}

pub fn run(plan: &Plan) -> Result<Vec<Row>> {
    let mut rows = vec![instance(plan)?];
    rows.push(plugins(plan)?);
    rows.push(connections(plan)?);
    Ok(rows)
}

fn instance(plan: &Plan) -> Result<Row> {
    let host = Host::start(plan, &format!("[plugins.bench]\n{GENEROUS}\n"))?;
    host.deploy("bench", "/", guest::plugin()?)?;
    seed(&host)?;
    let loaded: Instances = serde_json::from_str(&host.get("/memory?n=1000")?)?;
    if loaded.count < 1.0 {
        bail!("/memory loaded nothing");
    }
    Ok(Row::new(
        "model instance in the guest, 6 fields, 1,000 loaded",
        "B",
        loaded.size_of + loaded.heap / loaded.count,
    )
    .extra("size_of", loaded.size_of)
    .extra("heap", loaded.heap / loaded.count)
    .target(&[Target::AtMost(256.0)]))
}

/// A hundred plugins of different bytes (so that none shares another's compiled code), each has answered one request.
fn plugins(plan: &Plan) -> Result<Row> {
    let host = Host::start(plan, "")?;
    let hello = guest::hello()?;
    let visit = |number: u32| -> Result<()> {
        let name = format!("idle{number}");
        host.deploy(&name, &format!("/{name}"), &guest::with_note(hello, &name))?;
        host.get(&format!("/{name}"))?;
        Ok(())
    };
    // The first one pays for what the compiler and the allocator keep.
    visit(PLUGINS)?;
    let count = if plan.divide > 1 { 10 } else { PLUGINS };
    let before = settled(&host.process)?;
    for number in 0..count {
        visit(number)?;
    }
    let after = settled(&host.process)?;
    let each = |after: u64, before: u64| after.saturating_sub(before) as f64 / f64::from(count) / MIB;
    Ok(Row::new(format!("idle plugin, resident, at {count} plugins"), "MiB", each(after.resident, before.resident))
        .extra("anonymous", each(after.anonymous, before.anonymous))
        .extra("resident_total", after.resident as f64 / MIB)
        .target(&[Target::AtMost(1.0)]))
}

fn connections(plan: &Plan) -> Result<Row> {
    let count = CONNECTIONS / plan.divide as usize;
    let host = Host::start(plan, &format!("[plugins.bench]\n{GENEROUS}\n"))?;
    host.deploy("bench", "/", guest::plugin()?)?;
    let ours = idle(&host.process, host.http, "/hello", count)?;
    let (bare, address) = bare_hyper::spawn(Flavour::PerCore)?;
    let theirs = idle(&bare, address, "/", count)?;
    Ok(Row::new(format!("idle keep-alive connection, resident, at {count}"), "KiB", ours / 1024.0)
        .against("bare hyper, per-core", theirs / 1024.0))
}

/// Resident bytes a connection that has had one answer and stays.
fn idle(server: &Process, address: SocketAddr, path: &str, count: usize) -> Result<f64> {
    let open = |count: usize| -> Result<Vec<Connection>> {
        let mut open = Vec::with_capacity(count);
        for number in 0..count {
            let mut connection = Connection::open(address).with_context(|| format!("connection {number}"))?;
            let answer = connection.get(path)?;
            if answer.status != 200 {
                bail!("connection {number}: {}", answer.status);
            }
            open.push(connection);
        }
        Ok(open)
    };
    let first = open(64)?;
    let before = settled(server)?;
    let held = open(count)?;
    let after = settled(server)?;
    drop((first, held));
    Ok(after.resident.saturating_sub(before.resident) as f64 / count as f64)
}

/// Memory after a moment of rest.
fn settled(process: &Process) -> Result<crate::process::Memory> {
    std::thread::sleep(Duration::from_secs(1));
    process.memory()
}
