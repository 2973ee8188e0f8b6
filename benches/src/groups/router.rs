//! Matching among 1,000 routes: ours (host, path percent-decoded and checked, method) beside matchit alone (path).

use anyhow::{Context, Result, anyhow, bail};
use covet_runtime::{Method, Route};
use covet_server::router::{Mounted, Table};

use crate::Plan;
use crate::report::{Row, Target};
use crate::sample::{Series, timed};

/// Of each class; four classes.
const EACH: usize = 250;

/// Class, pattern and a path that fits; `#` stands for a number below [`EACH`].
const CLASSES: [(&str, &str, &str); 4] = [
    ("static", "/api/v1/section#/list", "/api/v1/section#/list"),
    ("1 parameter", "/api/v1/items#/{id}", "/api/v1/items#/48291"),
    ("2 parameters", "/api/v1/groups#/{group}/members/{member}", "/api/v1/groups#/weavers/members/4711"),
    ("wildcard", "/files#/{*rest}", "/files#/css/2026/main.css"),
];

const MISS: &str = "/api/v1/items#/48291/nowhere";

pub fn run(plan: &Plan) -> Result<Vec<Row>> {
    let n = 1_000_000 / plan.divide;
    let numbered = |text: &str, number: usize| text.replace('#', &number.to_string());
    let mut routes = Vec::new();
    let mut raw = matchit::Router::new();
    for number in 0..EACH {
        for (_, pattern, _) in CLASSES {
            let path = numbered(pattern, number);
            raw.insert(path.clone(), routes.len() as u32).map_err(|e| anyhow!("{path}: {e}"))?;
            routes.push(Route { method: Method::Get, path, handler: "bench".into(), stream_body: false });
        }
    }
    let plugin = Mounted { name: "bench", generation: 1, host: None, mount: "/", routes: &routes };
    let table = Table::build(&[plugin]).map_err(|e| anyhow!("{e}"))?;

    let ours = |path: &str| -> Result<u64> {
        let found = table.find("localhost", path).map_err(|e| anyhow!("{path}: {e:?}"))?;
        let Some(found) = found else {
            return Ok(u64::MAX);
        };
        let target = found.methods.get(Method::Get).context("no GET")?;
        Ok(u64::from(target.route) + found.params.len() as u64)
    };
    let theirs = |path: &str| -> Result<u64> {
        let Ok(found) = raw.at(path) else {
            return Ok(u64::MAX);
        };
        Ok(u64::from(*found.value) + found.params.len() as u64)
    };

    let mut rows = Vec::new();
    for (class, path) in CLASSES.map(|(class, _, path)| (class, path)).into_iter().chain([("miss", MISS)]) {
        let paths: Vec<String> = (0..EACH).map(|number| numbered(path, number)).collect();
        for path in &paths {
            if ours(path)? != theirs(path)? {
                bail!("{path}: the two routers disagree");
            }
        }
        // Another route each time, in an order that no predictor learns.
        let path_of = |i: u64| paths[(i.wrapping_mul(7919) % EACH as u64) as usize].as_str();
        let (mut a, mut b) = (Series::default(), Series::default());
        for _ in 0..plan.rounds.max(5) {
            a.push_computing(&timed(n, 1000, |i| ours(path_of(i)))?);
            b.push_computing(&timed(n, 1000, |i| theirs(path_of(i)))?);
        }
        rows.push(
            Row::compare_us(format!("match among 1,000 routes, {class}"), &a, "matchit alone", &b)
                .target(&[Target::AtMost(0.3)]),
        );
    }
    Ok(rows)
}
