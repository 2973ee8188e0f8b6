//! Load: `wrk`, 64 keep-alive connections and as many threads as there are processors, from outside the host.

use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::process::{Process, command};

/// One run. Latencies in microseconds.
#[derive(Debug, Clone, Deserialize)]
pub struct Run {
    pub requests: f64,
    duration_us: f64,
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    /// Connections refused, reads and writes failed, timeouts.
    pub broken: u64,
    /// Answers with a status of 400 or more.
    pub refused: u64,
    /// CPU time of the server a request, in microseconds; set by [`Load::run_against`].
    #[serde(default)]
    pub cpu_us: f64,
}

impl Run {
    pub fn per_second(&self) -> f64 {
        self.requests / (self.duration_us / 1e6)
    }

    pub fn failed(&self) -> u64 {
        self.broken + self.refused
    }
}

/// What to send. The script only reports and, where `setup` says so, sets the request once: nothing runs in Lua per request
/// unless `per_request` is set.
#[derive(Debug, Clone)]
pub struct Load {
    pub url: String,
    pub connections: u32,
    pub threads: u32,
    pub seconds: f64,
    /// Lua run once, as `wrk.method = "POST"`.
    pub setup: String,
}

fn processors() -> u32 {
    std::thread::available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(1))
}

const REPORT: &str = r#"
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('\n{"requests":%d,"duration_us":%d,"p50":%.1f,"p95":%.1f,"p99":%.1f,"broken":%d,"refused":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(95), latency:percentile(99),
    e.connect + e.read + e.write + e.timeout, e.status))
end
"#;

impl Load {
    pub fn get(url: impl Into<String>, seconds: f64) -> Load {
        Load { url: url.into(), connections: 64, threads: processors(), seconds, setup: String::new() }
    }

    /// A POST with a JSON body.
    pub fn post(url: impl Into<String>, seconds: f64, body: &str) -> Load {
        let setup = format!(
            "wrk.method = \"POST\"\nwrk.body = [==[{body}]==]\nwrk.headers[\"content-type\"] = \"application/json\"\n"
        );
        Load { url: url.into(), connections: 64, threads: processors(), seconds, setup }
    }

    pub fn connections(mut self, connections: u32) -> Load {
        self.connections = connections;
        self
    }

    pub fn threads(mut self, threads: u32) -> Load {
        self.threads = threads;
        self
    }

    /// Runs the load; fails where `wrk` does, not where answers do (see [`Run::failed`]).
    pub fn run(&self) -> Result<Run> {
        let mut script = tempfile::Builder::new().prefix("covet-bench").suffix(".lua").tempfile()?;
        write!(script, "{}{REPORT}", self.setup)?;
        script.flush()?;
        // wrk takes whole seconds; shorter ones only occur with --quick.
        let seconds = self.seconds.ceil().max(1.0) as u64;
        let output = command("wrk")
            .args(["--latency", "--timeout", "10s"])
            // No thread without a connection.
            .arg(format!("-t{}", self.threads.clamp(1, self.connections.max(1))))
            .arg(format!("-c{}", self.connections))
            .arg(format!("-d{seconds}s"))
            .arg("-s")
            .arg(script.path())
            .arg(&self.url)
            .output()
            .context("wrk does not start: `scripts/setup.sh bench` installs it")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let Some(line) = text.lines().rev().find(|l| l.starts_with('{')) else {
            bail!("wrk {} reported nothing:\n{text}{}", self.url, String::from_utf8_lossy(&output.stderr));
        };
        serde_json::from_str(line).with_context(|| format!("wrk reported {line}"))
    }

    /// Runs the load and notes the CPU time that `server` spent on a request.
    pub fn run_against(&self, server: &Process) -> Result<Run> {
        let before = server.cpu()?;
        let mut run = self.run()?;
        let spent: Duration = server.cpu()? - before;
        run.cpu_us = spent.as_secs_f64() * 1e6 / run.requests.max(1.0);
        Ok(run)
    }
}
