#![allow(clippy::unwrap_used)]
use covet_runtime::*;
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};
struct P;
impl LogSink for P {
    fn write(&self, p: &str, g: u64, l: Level, t: &str, m: &str) {
        println!("LOG {p}@{g} {l} [{t}] {m}");
    }
    fn enabled(&self) -> Level {
        Level::Trace
    }
}
fn req(route: u32, body: RequestBody) -> Request {
    Request {
        route,
        head: Head::new("GET", "/", [].into_iter(), [("accept", &b"*/*"[..])].into_iter(), "127.0.0.1:1"),
        body,
    }
}
fn cpu() -> Duration {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe {
        libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut t);
    }
    Duration::new(t.tv_sec as u64, t.tv_nsec as u32)
}
async fn show(p: &Plugin, r: Request) {
    let t = Instant::now();
    match p.handle(r).await {
        Ok(mut r) => {
            println!(
                "{} {:?} {:?}",
                r.status,
                r.headers,
                match &r.body {
                    ResponseBody::Empty => "empty".into(),
                    ResponseBody::Bytes(b) => String::from_utf8_lossy(&b[..b.len().min(80)]).into_owned(),
                    _ => "stream".to_string(),
                }
            );
            if let ResponseBody::Stream(s) = &mut r.body {
                while let Some(c) = s.next().await {
                    println!("  chunk {:?}", c);
                }
            }
        }
        Err(e) => println!("ERR {e:?}"),
    }
    println!("   {:?} {:?}", t.elapsed(), p.stats());
}
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    let wasm = std::fs::read(&args[1]).unwrap();
    let engine = Engine::new(EngineOptions {
        cache_dir: Some("/tmp/rt-cache".into()),
        memory_budget: std::env::var("BUDGET").ok().and_then(|s| s.parse().ok()).unwrap_or(4 << 30),
        ..Default::default()
    })
    .unwrap();
    println!("{engine:?}");
    let t = Instant::now();
    let iso = if std::env::var("FRESH").is_ok() { Isolation::Request } else { Isolation::Reuse };
    let lim = Limits {
        isolation: iso,
        deadline: Duration::from_secs(3),
        cpu: Duration::from_millis(500),
        max_requests: u64::MAX,
        ..Default::default()
    };
    let p = match Plugin::load(
        &engine,
        "test",
        1,
        &wasm,
        Services {
            database: None,
            cache: Some(covet_cache::Cache::new(Default::default())),
            config: HashMap::new(),
            log: Arc::new(P),
        },
        lim,
    )
    .await
    {
        Ok(p) => p,
        Err(e) => {
            println!("LOAD {e}");
            return;
        }
    };
    println!("loaded in {:?} {:?}", t.elapsed(), p.compiled());
    p.warm().await.unwrap();
    for r in &p.description().routes {
        println!("{r:?}");
    }
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            if args.len() > 2 && args[2] == "bench" {
                let n: u32 = args.get(3).and_then(|s| s.parse().ok()).unwrap_or(200_000);
                let route: u32 = args.get(4).and_then(|s| s.parse().ok()).unwrap_or(0);
                for _ in 0..5 {
                    let t = cpu();
                    for _ in 0..n {
                        std::hint::black_box(p.handle(req(route, RequestBody::Empty)).await.unwrap());
                    }
                    println!("{:?} cpu per call", (cpu() - t) / n);
                }
                let t = Instant::now();
                for _ in 0..n {
                    std::hint::black_box(req(0, RequestBody::Empty));
                }
                println!("req {:?}", t.elapsed() / n);
                println!("{:?}", p.stats());
                return;
            }
            let max = if p.description().routes.is_empty() { 4 } else { p.description().routes.len() as u32 };
            for r in 0..max {
                println!("--- route {r}");
                show(&p, req(r, RequestBody::Empty)).await;
            }
            println!("--- body");
            show(&p, req(0, RequestBody::Bytes(bytes::Bytes::from_static(b"hello")))).await;
            let s =
                futures::stream::iter(vec![Ok(bytes::Bytes::from_static(b"ab")), Ok(bytes::Bytes::from_static(b"cd"))]);
            println!("--- stream");
            show(&p, req(0, RequestBody::Stream(Box::pin(s)))).await;
            let s = futures::stream::iter(vec![
                Ok(bytes::Bytes::from_static(b"ab")),
                Err(BodyFault::Broken("reset".into())),
            ]);
            println!("--- stream broken");
            show(&p, req(0, RequestBody::Stream(Box::pin(s)))).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
            println!("{:?}", p.stats());
            p.retire();
            reap();
            println!("{:?} {}", p.stats(), engine.memory_used());
        })
        .await;
}
