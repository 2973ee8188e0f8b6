//! `covet-bench in-process`: the bench plugin in this very process, without HTTP. For profilers (`perf record`, callgrind)
//! and for seeing what a request costs before hyper; no figure of `make bench` comes from here.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use covet_cache::{Cache, CacheOptions};
use covet_db::{Database, Sqlite, SqliteOptions};
use covet_runtime::{
    Engine, EngineOptions, Head, Isolation, Limits, Method, NoLog, Plugin, Request, RequestBody, Response,
    ResponseBody, Services,
};
use covet_server::router::{Mounted, Table};

use crate::guest;
use crate::native::{AUTHORS, Native, POSTS_COUNT, USERS};
use crate::sample::{Series, median};

/// What a browserless client sends.
const HEADERS: [(&str, &[u8]); 1] = [("host", b"127.0.0.1:8000")];

/// `covet-bench in-process [--fresh] [--native] /PATH [TIMES]`
pub fn main(args: impl Iterator<Item = String>) -> Result<()> {
    let (mut fresh, mut native) = (false, false);
    let mut rest = Vec::new();
    for arg in args {
        match arg.as_str() {
            "--fresh" => fresh = true,
            "--native" => native = true,
            _ => rest.push(arg),
        }
    }
    let [path, times @ ..] = rest.as_slice() else {
        bail!("covet-bench in-process [--fresh] [--native] /PATH [TIMES]")
    };
    let times: u64 = times.first().map_or(Ok(1), |t| t.parse())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let base = crate::root().join("target/release/bench");
        std::fs::create_dir_all(&base)?;
        let directory = tempfile::Builder::new().prefix("inside-").tempdir_in(base)?;
        let plugin = Inside::load(directory.path(), fresh).await?;
        plugin.ask("POST", &format!("/seed?users={USERS}&authors={AUTHORS}&posts={POSTS_COUNT}")).await?;
        let first = plugin.ask("GET", path).await?;
        if let Some(work) = path.strip_prefix("/bench/") {
            return compare(&plugin, directory.path(), work, native).await;
        }
        println!("{}", String::from_utf8_lossy(&first));
        let (mut wall, mut cpu) = (Vec::new(), Vec::new());
        for _ in 0..5 {
            let (start, spent) = (Instant::now(), thread_cpu());
            for _ in 0..times {
                black_box(plugin.ask("GET", path).await?);
            }
            wall.push(start.elapsed().as_nanos() as f64 / times as f64);
            cpu.push((thread_cpu() - spent).as_nanos() as f64 / times as f64);
        }
        println!("{path}: {:.3} µs a request in process, {:.3} µs of CPU", median(&wall) / 1e3, median(&cpu) / 1e3);
        Ok(())
    })
}

/// `WORK?n=…&batch=…` in the guest, and natively when asked.
async fn compare(plugin: &Inside, directory: &std::path::Path, work: &str, natively: bool) -> Result<()> {
    #[derive(serde::Deserialize)]
    struct Timing {
        batches: Vec<f64>,
    }
    let (name, query) = work.split_once('?').context("/bench/WORK?n=…&batch=…")?;
    let number = |key: &str| -> Result<u64> {
        let found = query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
        Ok(found.with_context(|| format!("{key}=…"))?.parse()?)
    };
    let (n, batch) = (number("n")?, number("batch")?);
    let native = if natively { Some(Native::open(&directory.join("app.db"))?) } else { None };
    let (mut ours, mut theirs) = (Series::default(), Series::default());
    let mut cpu = Vec::new();
    for _ in 0..5 {
        let spent = thread_cpu();
        let timing: Timing = serde_json::from_slice(&plugin.ask("GET", &format!("/bench/{work}")).await?)?;
        cpu.push((thread_cpu() - spent).as_nanos() as f64 / n as f64);
        ours.push_computing(&timing.batches);
        if let Some(native) = &native {
            theirs.push_computing(&native.run(name, n, batch)?);
        }
    }
    print!("{name}: {:.3} µs in the guest, {:.3} µs of CPU", ours.median() / 1e3, median(&cpu) / 1e3);
    if natively {
        print!(", {:.3} µs natively, × {:.2}", theirs.median() / 1e3, ours.median() / theirs.median());
    }
    println!();
    Ok(())
}

/// CPU time of this thread so far: what a busy machine does not spoil.
fn thread_cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live timespec of ours; the clock exists on every Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

struct Inside {
    plugin: Plugin,
    table: Table,
}

impl Inside {
    async fn load(directory: &std::path::Path, fresh: bool) -> Result<Inside> {
        let engine =
            Engine::new(EngineOptions { cache_dir: Some(directory.join("compiled")), ..EngineOptions::default() })
                .map_err(|e| anyhow!("{e}"))?;
        let database = Database::Sqlite(
            Sqlite::open(&directory.join("app.db"), SqliteOptions::default()).map_err(|e| anyhow!("{e}"))?,
        );
        let services = Services {
            database: Some(database.clone()),
            cache: Some(Cache::new(CacheOptions::default())),
            config: HashMap::new(),
            log: Arc::new(NoLog),
        };
        let hour = Duration::from_secs(3600);
        let limits = Limits {
            deadline: hour,
            cpu: hour,
            queries_per_request: u32::MAX,
            max_requests: u64::MAX,
            isolation: if fresh { Isolation::Request } else { Isolation::Reuse },
            ..Limits::default()
        };
        let plugin =
            Plugin::load(&engine, "bench", 1, guest::plugin()?, services, limits).await.map_err(|e| anyhow!("{e}"))?;
        let tables = covet_orm::ddl::reconcile(
            covet_orm::Dialect::Sqlite,
            &plugin.description().catalog,
            &database.introspect().await.map_err(|e| anyhow!("{e}"))?,
        )
        .map_err(|e| anyhow!("{e:?}"))?;
        database.execute_batch(tables).await.map_err(|e| anyhow!("{e}"))?;
        let routes = &plugin.description().routes;
        let table = Table::build(&[Mounted { name: "bench", generation: 1, host: None, mount: "/", routes }])?;
        Ok(Inside { plugin, table })
    }

    async fn ask(&self, method: &str, target: &str) -> Result<Vec<u8>> {
        let path = target.split('?').next().unwrap_or(target);
        let found =
            self.table.find("", path).map_err(|e| anyhow!("{e:?}"))?.with_context(|| format!("no route {path}"))?;
        let kind = if method == "POST" { Method::Post } else { Method::Get };
        let route = found.methods.get(kind).with_context(|| format!("no {method} {path}"))?.route;
        let head =
            Head::new(method, target, found.params.iter().map(|p| p.as_ref()), HEADERS.into_iter(), "127.0.0.1:50000");
        let request = Request { route, head, body: RequestBody::Empty };
        let Response { status, body, .. } = self.plugin.handle(request).await.map_err(|e| anyhow!("{target}: {e}"))?;
        let bytes = match body {
            ResponseBody::Empty => Vec::new(),
            ResponseBody::Bytes(bytes) => bytes.into(),
            ResponseBody::Stream(_) => bail!("{target} streams"),
        };
        if status >= 300 {
            bail!("{target}: {status} {}", String::from_utf8_lossy(&bytes));
        }
        Ok(bytes)
    }
}
