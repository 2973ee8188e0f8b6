//! The host under measurement: a release build of `covet serve` in a process and a directory of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::Plan;
use crate::client::Connection;
use crate::process::{Process, command};

const TOKEN: &str = "benchmark-token-0123456789abcdef";

/// A running `covet serve`. Dropped: stopped, its directory removed.
#[derive(Debug)]
pub struct Host {
    pub process: Process,
    pub http: SocketAddr,
    admin: SocketAddr,
    agent: ureq::Agent,
    directory: Directory,
}

#[derive(Debug)]
enum Directory {
    Removed(tempfile::TempDir),
    Kept(PathBuf),
}

impl Directory {
    fn path(&self) -> &Path {
        match self {
            Directory::Removed(dir) => dir.path(),
            Directory::Kept(path) => path,
        }
    }
}

#[derive(Debug, Deserialize)]
struct Listening {
    http: SocketAddr,
    admin: SocketAddr,
}

impl Host {
    /// Starts a host on free ports with its own SQLite file. `plugins` is the tail of `covet.toml`: what the operator
    /// says of each plugin.
    pub fn start(plan: &Plan, plugins: &str) -> Result<Host> {
        let binary = binary()?;
        // Beside the build, not under /tmp: there fsync may cost nothing.
        let base = binary.parent().context("the host's binary has no directory")?.join("bench");
        std::fs::create_dir_all(&base)?;
        let fresh = tempfile::Builder::new().prefix("run-").tempdir_in(&base)?;
        let directory = if plan.keep { Directory::Kept(fresh.keep()) } else { Directory::Removed(fresh) };
        let dir = directory.path();
        let config = dir.join("covet.toml");
        std::fs::write(
            &config,
            format!(
                "[server]\nlisten = \"127.0.0.1:0\"\nstate = {state:?}\n\n[admin]\nlisten = \"127.0.0.1:0\"\n\n[databases.default]\nurl = \"sqlite://{database}\"\n\n{plugins}",
                state = dir.join("state"),
                database = dir.join("app.db").display(),
            ),
        )?;
        let log = std::fs::File::create(dir.join("host.log"))?;
        let mut process = Process::spawn(
            command(&binary)
                .args(["serve", "--json", "--config"])
                .arg(&config)
                .env("COVET_ADMIN_TOKEN", TOKEN)
                .current_dir(dir)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(log),
        )?;
        let stdout = process.child().stdout.take().context("no standard output")?;
        let (say, hear) = mpsc::channel();
        // Reads on after the first line, so that the host never blocks on a full pipe.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Ok(listening) = serde_json::from_str::<Listening>(&line) {
                    let _ = say.send(listening);
                }
            }
        });
        let log_of = |dir: &Path| std::fs::read_to_string(dir.join("host.log")).unwrap_or_default();
        let Ok(Listening { http, admin }) = hear.recv_timeout(Duration::from_secs(30)) else {
            bail!("covet serve did not come up; its log:\n{}", log_of(dir));
        };
        if plan.keep {
            eprintln!("the host's directory: {}", dir.display());
        }
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(300)))
            .build()
            .new_agent();
        Ok(Host { process, http, admin, agent, directory })
    }

    pub fn database(&self) -> PathBuf {
        self.directory.path().join("app.db")
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.http)
    }

    pub fn connect(&self) -> Result<Connection> {
        Connection::open(self.http)
    }

    /// One deploy over the admin API; the answer's JSON.
    pub fn deploy(&self, name: &str, mount: &str, wasm: &[u8]) -> Result<serde_json::Value> {
        let url = format!("http://{}/v1/plugins/{name}?mount={mount}", self.admin);
        let mut answer = self
            .agent
            .put(&url)
            .header("authorization", format!("Bearer {TOKEN}"))
            .header("content-type", "application/wasm")
            .send(wasm)
            .with_context(|| format!("PUT {url}"))?;
        let status = answer.status().as_u16();
        let text = answer.body_mut().read_to_string()?;
        if !(200..300).contains(&status) {
            bail!("deploy of {name}: {status} {text}\n{}", self.log_tail());
        }
        Ok(serde_json::from_str(&text)?)
    }

    /// GET on a connection of its own; fails unless the answer is 200.
    pub fn get(&self, path: &str) -> Result<String> {
        self.ask("GET", path, &[])
    }

    pub fn ask(&self, method: &str, path: &str, body: &[u8]) -> Result<String> {
        let answer = self.connect()?.send(method, path, body)?;
        if answer.status >= 300 {
            bail!("{method} {path}: {} {}\n{}", answer.status, answer.text(), self.log_tail());
        }
        Ok(answer.text())
    }

    fn log_tail(&self) -> String {
        let log = std::fs::read_to_string(self.directory.path().join("host.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

/// `COVET_BIN`, or the binary next to ours, built if need be.
pub fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("COVET_BIN") {
        return Ok(path.into());
    }
    let ours = std::env::current_exe()?;
    let binary = ours.parent().context("our binary has no directory")?.join("covet");
    // Under cargo (`make bench`) make sure that it is the present source's.
    if let Some(cargo) = std::env::var_os("CARGO") {
        let status = command(&cargo)
            .current_dir(crate::root())
            .args(["build", "--release", "--quiet", "-p", "covet-cli"])
            .status()
            .context("cargo does not start")?;
        if !status.success() {
            bail!("cargo build --release -p covet-cli failed");
        }
    }
    if !binary.exists() {
        bail!("{} is missing: cargo build --release -p covet-cli", binary.display());
    }
    Ok(binary)
}
