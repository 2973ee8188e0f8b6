//! A hit, in the host and across the wall.

use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use covet_cache::{Cache, CacheOptions};

use super::{GENEROUS, in_guest};
use crate::Plan;
use crate::guest;
use crate::host::Host;
use crate::raw_wasm::Caller;
use crate::report::{Row, Target};
use crate::sample::{Series, timed};

const ENTRIES: u64 = 10_000;
const VALUE: usize = 100;
const SPACE: &str = "bench";

pub fn run(plan: &Plan) -> Result<Vec<Row>> {
    let n = 1_000_000 / plan.divide;
    let rounds = plan.rounds.max(5);

    let value = Bytes::from(vec![7; VALUE]);
    let ours = Cache::new(CacheOptions::default());
    // As a program would use it without us: text keys, a time to live, a bound.
    let moka: moka::sync::Cache<String, Bytes> =
        moka::sync::Cache::builder().max_capacity(1_000_000).time_to_live(Duration::from_secs(300)).build();
    let keys: Vec<String> = (0..ENTRIES).map(|i| format!("page:{i}")).collect();
    for key in &keys {
        ours.set(SPACE, key, value.clone(), None)?;
        moka.insert(key.clone(), value.clone());
    }
    // One key that is asked for all the time; then all of them at random, where each look-up meets memory that no cache of
    // the processor holds.
    let hit = |name: &str, key_of: &dyn Fn(u64) -> usize| -> Result<Row> {
        let (mut host, mut raw) = (Series::default(), Series::default());
        for _ in 0..rounds {
            let mine = timed(n, 1000, |i| Ok(ours.get(SPACE, &keys[key_of(i)])?.context("a miss")?.len() as u64))?;
            host.push_computing(&mine);
            raw.push_computing(&timed(n, 1000, |i| Ok(moka.get(&keys[key_of(i)]).context("a miss")?.len() as u64))?);
        }
        Ok(Row::compare_us(name, &host, "moka, get", &raw))
    };
    let any_of = |count: u64| move |i: u64| (i.wrapping_mul(7919) % count) as usize;
    let hot = hit("hit, in the host, a hot key", &|_| 0)?.target(&[Target::AtMost(0.23)]);
    // The seed's own method: 1,000 entries, 10,000 requests.
    let seed = hit("hit, in the host, 1,000 keys at random", &any_of(1_000))?.target(&[Target::AtMost(0.23)]);
    let any = hit("hit, in the host, 10,000 keys at random", &any_of(ENTRIES))?;

    let server = Host::start(plan, &format!("[plugins.bench]\n{GENEROUS}\n"))?;
    server.deploy("bench", "/", guest::plugin()?)?;
    let mut caller = Caller::new(vec![7; VALUE])?;
    let (mut seen, mut call) = (Series::default(), Series::default());
    in_guest(&server, "cache", n / 10, 1000)?;
    for _ in 0..rounds {
        seen.push_computing(&in_guest(&server, "cache", n, 1000)?);
        call.push_computing(&caller.calls(n, 1000)?);
    }
    let in_guest =
        Row::compare_us("hit, seen from the guest", &seen, "raw wasmtime import, same value, nothing behind", &call)
            .target(&[Target::AtMost(0.6)]);
    Ok(vec![hot, seed, any, in_guest])
}
