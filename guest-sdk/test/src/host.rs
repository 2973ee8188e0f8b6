//! A host process on free ports, with a temporary directory for all its state.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::{Client, Error, Response, binary};

/// A host that does not listen by then will not listen at all.
const START: Duration = Duration::from_secs(60);
const TOKEN: &str = "token-of-a-test-0123456789abcdef";
/// Lines of the host's own log that a failed test shows.
const LOG_LINES: usize = 60;

/// How to start a [`Host`].
#[derive(Clone, Debug, Default)]
pub struct HostOptions {
    config: String,
    environment: Vec<(String, String)>,
}

impl HostOptions {
    /// Lines for the operator's `covet.toml`.
    #[must_use]
    pub fn config(mut self, toml: &str) -> HostOptions {
        self.config.push_str(toml);
        self.config.push('\n');
        self
    }

    /// A variable in the host's environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> HostOptions {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// # Errors
    /// See [`Host::start`].
    pub fn start(self) -> Result<Host, Error> {
        let directory = tempfile::Builder::new()
            .prefix("covet-test-")
            .tempdir()
            .map_err(Error::doing("creating a temporary directory"))?;
        let process = Process::spawn(directory.path(), &self)?;
        Ok(Host { process: Some(process), options: self, directory })
    }
}

/// A running host. Dropped, it ends and its directory goes.
#[derive(Debug)]
pub struct Host {
    process: Option<Process>,
    options: HostOptions,
    directory: TempDir,
}

impl Host {
    /// Starts a host with the defaults, and no plugin.
    ///
    /// # Errors
    /// When there is no `covet` command, or it ends instead of listening; then with what it said.
    pub fn start() -> Result<Host, Error> {
        HostOptions::default().start()
    }

    pub fn options() -> HostOptions {
        HostOptions::default()
    }

    /// `127.0.0.1:PORT` of the plugins.
    pub fn http_addr(&self) -> &str {
        self.process.as_ref().map_or("", |process| &process.http)
    }

    /// `127.0.0.1:PORT` of the admin API.
    pub fn admin_addr(&self) -> &str {
        self.process.as_ref().map_or("", |process| &process.admin)
    }

    /// The token of the admin API.
    pub fn token(&self) -> &'static str {
        TOKEN
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.http_addr())
    }

    pub fn admin_url(&self) -> String {
        format!("http://{}", self.admin_addr())
    }

    /// A client of the plugins.
    pub fn client(&self) -> Client {
        Client::new(self.url())
    }

    /// A client of the admin API, with the token.
    pub fn admin(&self) -> Client {
        Client::new(self.admin_url()).with_header("authorization", &format!("Bearer {TOKEN}"))
    }

    /// The directory of all state: `plugins`, databases, token, compiled code.
    pub fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    /// The temporary directory that goes with the host.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub fn pid(&self) -> u32 {
        self.process.as_ref().map_or(0, |process| process.child.id())
    }

    /// Deploys a `.wasm` under a name; the host's answer, whatever its status.
    ///
    /// # Errors
    /// When the file cannot be read, or no answer comes.
    pub fn try_deploy(&self, name: &str, wasm: &Path, mount: Option<&str>) -> Result<Response, Error> {
        let bytes = std::fs::read(wasm).map_err(Error::doing(format!("reading {}", wasm.display())))?;
        let query = mount.map_or_else(String::new, |mount| format!("?mount={mount}"));
        self.admin().send("PUT", &format!("/v1/plugins/{name}{query}"), Some("application/wasm"), &bytes)
    }

    /// Deploys a `.wasm`; the JSON of the host's answer.
    ///
    /// # Errors
    /// When the host refuses it, with its words.
    pub fn deploy(&self, name: &str, wasm: &Path, mount: Option<&str>) -> Result<Value, Error> {
        let answer = self.try_deploy(name, wasm, mount)?;
        if !(200..300).contains(&answer.status()) {
            return Err(Error::new(format!("deploy of {name}: {answer}\n{}", self.host_log())));
        }
        answer.json_as().map_err(|error| Error::new(format!("deploy of {name}: {error}: {answer}")))
    }

    /// What a plugin logged so far, oldest first: objects with `level`, `target`, `message`, …
    ///
    /// # Errors
    /// When the host knows no such plugin.
    pub fn logs(&self, name: &str) -> Result<Vec<Value>, Error> {
        let answer = self.admin().get(&format!("/v1/plugins/{name}/logs?tail=1000"))?;
        if answer.status() != 200 {
            return Err(Error::new(format!("logs of {name}: {answer}")));
        }
        Ok(answer.text().lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    /// The end of what the host process itself wrote to standard error.
    pub fn host_log(&self) -> String {
        let text = std::fs::read_to_string(log_file(self.directory.path())).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(LOG_LINES)..).unwrap_or_default().join("\n")
    }

    /// Ends the host as a power cut would (SIGKILL). The state stays; [`Host::restart`] brings it up again.
    pub fn kill9(&mut self) {
        self.process = None;
    }

    /// Ends the host if it runs, and starts it again on the same state; the ports may be others.
    ///
    /// # Errors
    /// See [`Host::start`].
    pub fn restart(&mut self) -> Result<(), Error> {
        self.process = None;
        self.process = Some(Process::spawn(self.directory.path(), &self.options)?);
        Ok(())
    }

    /// The process that ran, when it ended by itself; none while it runs.
    pub fn exited(&mut self) -> Option<std::process::ExitStatus> {
        self.process.as_mut()?.child.try_wait().ok().flatten()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the host's log\n{}", self.host_log());
        }
    }
}

#[derive(Debug)]
struct Process {
    child: Child,
    http: String,
    admin: String,
    /// The host ends when this closes: nothing outlives a test that is killed.
    _lifeline: Option<ChildStdin>,
}

impl Process {
    fn spawn(directory: &Path, options: &HostOptions) -> Result<Process, Error> {
        let covet = binary()?;
        let config = directory.join("covet.toml");
        std::fs::write(&config, &options.config).map_err(Error::doing(format!("writing {}", config.display())))?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(log_file(directory))
            .map_err(Error::doing("creating the host's log file"))?;
        let mut command = Command::new(&covet);
        command
            .args([
                "--json",
                "serve",
                "--until-stdin-closes",
                "--listen",
                "127.0.0.1:0",
                "--admin",
                "127.0.0.1:0",
                "--config",
            ])
            .arg(&config)
            .arg("--state")
            .arg(directory.join("state"))
            .current_dir(directory)
            .env("COVET_ADMIN_TOKEN", TOKEN)
            .env_remove("RUST_BACKTRACE")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log);
        for (name, value) in &options.environment {
            command.env(name, value);
        }
        let mut child = command.spawn().map_err(Error::doing(format!("running {}", covet.display())))?;
        let lifeline = child.stdin.take();
        let lines = child.stdout.take();
        let mut process = Process { child, http: String::new(), admin: String::new(), _lifeline: lifeline };

        let (send, listening) = mpsc::channel();
        std::thread::spawn(move || {
            let Some(lines) = lines else { return };
            let mut lines = BufReader::new(lines);
            let mut line = String::new();
            while lines.read_line(&mut line).is_ok_and(|read| read > 0) {
                let event: Value = serde_json::from_str(&line).unwrap_or_default();
                if event["event"] == "listening" || event["error"].is_object() {
                    let _ = send.send(event);
                    break;
                }
                line.clear();
            }
            drop(send);
            // Read on, or the host would block on a full pipe.
            let _ = std::io::copy(&mut lines.by_ref(), &mut std::io::sink());
        });
        let event = listening.recv_timeout(START).unwrap_or_default();
        let address = |key: &str| event[key].as_str().map(str::to_owned);
        match (address("http"), address("admin")) {
            (Some(http), Some(admin)) => {
                process.http = http;
                process.admin = admin;
                Ok(process)
            }
            _ => {
                let said = std::fs::read_to_string(log_file(directory)).unwrap_or_default();
                let why = event["error"]["message"].as_str().unwrap_or("it ended, or took over a minute");
                Err(Error::new(format!("the host does not listen: {why}\n{said}")))
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn log_file(directory: &Path) -> PathBuf {
    directory.join("host.log")
}
