//! The client of a host's admin API: where it listens, the token, requests, and its errors as this command's errors.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::outcome::{Exit, Failure, Result};

/// A deploy compiles in the host: minutes for a huge component on a small machine.
const PATIENCE: Duration = Duration::from_secs(300);
const DEFAULT_URL: &str = "http://127.0.0.1:8001";
const DEFAULT_TOKEN_FILE: &str = "data/admin.token";

/// Which host to talk to.
#[derive(Args, Clone, Debug)]
pub struct Target {
    /// Admin address of the host [default: http://127.0.0.1:8001]
    #[arg(long, value_name = "URL", env = "COVET_ADMIN_URL", global = true)]
    pub to: Option<String>,
    /// File with the admin token [default: $COVET_ADMIN_TOKEN, then data/admin.token]
    #[arg(long, value_name = "FILE", global = true)]
    pub token_file: Option<PathBuf>,
}

#[derive(Debug)]
pub struct Admin {
    url: String,
    token: String,
    agent: ureq::Agent,
}

impl Target {
    /// # Errors
    /// `no-token` when no place holds one; `bad-url`.
    pub fn connect(&self) -> Result<Admin> {
        let url = self.to.clone().unwrap_or_else(|| DEFAULT_URL.to_owned());
        let url = if url.contains("://") { url } else { format!("http://{url}") };
        if !url.starts_with("http://") {
            return Err(Failure::usage("bad-url", format!("--to {url}: the admin API speaks plain http"))
                .hint("reach a distant host through a tunnel: ssh -L 8001:127.0.0.1:8001 HOST"));
        }
        Ok(Admin::new(url, self.token()?))
    }

    fn token(&self) -> Result<String> {
        let from = |path: &Path| {
            let text = std::fs::read_to_string(path).map_err(Failure::io("reading the admin token", path))?;
            Ok(text.trim().to_owned())
        };
        if let Some(path) = &self.token_file {
            return from(path);
        }
        if let Ok(token) = std::env::var("COVET_ADMIN_TOKEN") {
            return Ok(token);
        }
        if Path::new(DEFAULT_TOKEN_FILE).exists() {
            return from(Path::new(DEFAULT_TOKEN_FILE));
        }
        Err(Failure::failed(
            "no-token",
            format!("no admin token: COVET_ADMIN_TOKEN is unset and there is no {DEFAULT_TOKEN_FILE}"),
        )
        .hint("the host wrote one to STATE/admin.token when it first started: name it with --token-file"))
    }
}

impl Admin {
    pub fn new(url: String, token: String) -> Admin {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(Duration::from_secs(5)))
            .timeout_recv_response(Some(PATIENCE))
            .build();
        Admin { url: url.trim_end_matches('/').to_owned(), token, agent: config.into() }
    }

    pub fn get(&self, path: &str) -> Result<Value> {
        let answer = self.agent.get(self.at(path)).header("authorization", self.bearer()).call();
        self.value(answer)
    }

    pub fn post(&self, path: &str) -> Result<Value> {
        let answer = self.agent.post(self.at(path)).header("authorization", self.bearer()).send_empty();
        self.value(answer)
    }

    pub fn delete(&self, path: &str) -> Result<Value> {
        let answer = self.agent.delete(self.at(path)).header("authorization", self.bearer()).call();
        self.value(answer)
    }

    pub fn put(&self, path: &str, body: &[u8]) -> Result<Value> {
        let answer = self
            .agent
            .put(self.at(path))
            .header("authorization", self.bearer())
            .header("content-type", "application/wasm")
            .send(body);
        self.value(answer)
    }

    /// A body that goes on for as long as the host keeps it open.
    pub fn stream(&self, path: &str) -> Result<impl Read + use<>> {
        let answer = self
            .agent
            .get(self.at(path))
            .header("authorization", self.bearer())
            .call()
            .map_err(|error| self.unreachable(&error))?;
        if answer.status().is_success() { Ok(answer.into_body().into_reader()) } else { Err(refused(answer)) }
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    fn value(&self, answer: std::result::Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Value> {
        let mut answer = answer.map_err(|error| self.unreachable(&error))?;
        if !answer.status().is_success() {
            return Err(refused(answer));
        }
        let text = answer.body_mut().read_to_string().map_err(|error| self.unreachable(&error))?;
        if text.trim().is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).map_err(|error| {
            Failure::failed("bad-answer", format!("{}: not the JSON of a Covet host: {error}", self.url))
        })
    }

    fn unreachable(&self, error: &ureq::Error) -> Failure {
        Failure::new(Exit::Unreachable, "unreachable", format!("no host answers at {}: {error}", self.url))
            .hint("start one with `covet serve`, or name its admin address with --to URL")
    }
}

/// The host's own error, with its stable code.
fn refused(mut answer: ureq::http::Response<ureq::Body>) -> Failure {
    let status = answer.status();
    let text = answer.body_mut().read_to_string().unwrap_or_default();
    let error = serde_json::from_str::<Value>(&text).unwrap_or_default();
    let code = error["error"]["code"].as_str().unwrap_or("refused");
    let message = match error["error"]["message"].as_str() {
        Some(message) => message.to_owned(),
        None => format!("the host answered {status}: {}", text.trim()),
    };
    let failure = Failure::new(Exit::Refused, code, message);
    match status.as_u16() {
        401 | 403 => failure.hint("the token is not this host's: COVET_ADMIN_TOKEN, or --token-file STATE/admin.token"),
        _ => failure,
    }
}
