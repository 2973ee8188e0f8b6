//! The groups of `make bench`, one file each.

mod cache;
mod http;
mod memory;
mod orm;
mod reload;
mod router;

use anyhow::{Result, bail};
use serde::Deserialize;

use crate::Plan;
use crate::host::Host;
use crate::report::Group;

pub const NAMES: [&str; 6] = ["http", "orm", "router", "cache", "memory", "reload"];

pub fn run(name: &str, plan: &Plan) -> Result<Group> {
    Ok(match name {
        "http" => Group::new("http", http::run(plan)?),
        "orm" => Group::new("orm", orm::run(plan)?),
        "router" => Group::new("router", router::run(plan)?),
        "cache" => Group::new("cache", cache::run(plan)?),
        "memory" => Group::new("memory", memory::run(plan)?),
        "reload" => Group::new("reload", reload::run(plan)?),
        other => bail!("no group {other:?}"),
    })
}

/// What the operator grants the bench plugin: its loops run for seconds and ask as often as they like.
const GENEROUS: &str =
    r#"limits = { deadline = "120s", cpu = "120s", queries_per_request = 10_000_000, max_requests = 1_000_000_000 }"#;

/// The answer of the plugin's `/bench/…` routes.
#[derive(Debug, Deserialize)]
struct Timing {
    /// Mean nanoseconds of each batch, by the guest's monotonic clock.
    batches: Vec<f64>,
}

/// Runs `work` inside the guest: `n` times, in batches.
fn in_guest(host: &Host, work: &str, n: u64, batch: u64) -> Result<Vec<f64>> {
    let text = host.get(&format!("/bench/{work}?n={n}&batch={batch}"))?;
    let timing: Timing = serde_json::from_str(&text)?;
    if timing.batches.is_empty() {
        bail!("/bench/{work} measured nothing");
    }
    Ok(timing.batches)
}

/// Fills the tables of the bench plugin with the rows that [`crate::native`] expects.
fn seed(host: &Host) -> Result<()> {
    use crate::native::{AUTHORS, POSTS_COUNT, USERS};
    host.ask("POST", &format!("/seed?users={USERS}&authors={AUTHORS}&posts={POSTS_COUNT}"), &[])?;
    Ok(())
}
