//! A small blocking HTTP client: redirects are answers, statuses are answers, only a lost connection is an error.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Error;

/// Longer than any deadline a plugin has by default: a test sees the host's 504, not its own impatience.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub struct Client {
    base: String,
    headers: Vec<(String, String)>,
    agent: ureq::Agent,
}

impl Client {
    /// A client for `http://HOST:PORT`; paths are appended to it.
    pub fn new(base: impl Into<String>) -> Client {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .allow_non_standard_methods(true)
            .timeout_global(Some(PATIENCE))
            .build();
        Client { base: base.into(), headers: Vec::new(), agent: config.into() }
    }

    /// The same client, sending a header with each request.
    #[must_use]
    pub fn with_header(&self, name: &str, value: &str) -> Client {
        let mut client = self.clone();
        client.headers.push((name.to_owned(), value.to_owned()));
        client
    }

    pub fn get(&self, path: &str) -> Result<Response, Error> {
        self.send("GET", path, None, b"")
    }

    pub fn delete(&self, path: &str) -> Result<Response, Error> {
        self.send("DELETE", path, None, b"")
    }

    pub fn post_json(&self, path: &str, body: &impl Serialize) -> Result<Response, Error> {
        self.send_json("POST", path, body)
    }

    pub fn put_json(&self, path: &str, body: &impl Serialize) -> Result<Response, Error> {
        self.send_json("PUT", path, body)
    }

    pub fn patch_json(&self, path: &str, body: &impl Serialize) -> Result<Response, Error> {
        self.send_json("PATCH", path, body)
    }

    /// Sends fields as a browser's form does (`application/x-www-form-urlencoded`).
    pub fn post_form(&self, path: &str, fields: &[(&str, &str)]) -> Result<Response, Error> {
        let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{}={}", form(name), form(value))).collect();
        self.send("POST", path, Some("application/x-www-form-urlencoded"), pairs.join("&").as_bytes())
    }

    fn send_json(&self, method: &str, path: &str, body: &impl Serialize) -> Result<Response, Error> {
        let body = serde_json::to_vec(body).map_err(|error| Error::new(format!("{method} {path}: body: {error}")))?;
        self.send(method, path, Some("application/json"), &body)
    }

    /// Any method, any body.
    ///
    /// # Errors
    /// When no complete answer comes: refused, cut off, or slower than a minute.
    pub fn send(&self, method: &str, path: &str, content_type: Option<&str>, body: &[u8]) -> Result<Response, Error> {
        let lost = |error: &dyn fmt::Display| Error::new(format!("{method} {}{path}: {error}", self.base));
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        // A GET without a body must not carry `content-length: 0`.
        let answer = if body.is_empty() && matches!(method, "GET" | "HEAD" | "DELETE" | "OPTIONS") {
            self.agent.run(request.body(()).map_err(|error| lost(&error))?)
        } else {
            self.agent.run(request.body(body).map_err(|error| lost(&error))?)
        };
        let (head, body) = answer.map_err(|error| lost(&error))?.into_parts();
        let body = body.into_with_config().limit(u64::MAX).read_to_vec().map_err(|error| lost(&error))?;
        let headers = head
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
        Ok(Response { status: head.status.as_u16(), headers: headers.collect(), body })
    }
}

fn form(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => encoded.push(byte as char),
            b' ' => encoded.push('+'),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// A whole answer. Prints as status, headers and text, for the message of an assertion.
#[derive(Clone, Debug)]
pub struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Response {
    pub fn status(&self) -> u16 {
        self.status
    }

    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as text; bytes that are no UTF-8 show as �.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON. Fails the test with the body's text when it is none.
    #[track_caller]
    #[expect(clippy::panic, reason = "a wrong answer fails the test, with the answer in the message")]
    pub fn json(&self) -> Value {
        self.json_as().unwrap_or_else(|error| panic!("the answer is no JSON ({error}):\n{self}"))
    }

    /// The body as JSON of a type.
    ///
    /// # Errors
    /// serde_json's own.
    pub fn json_as<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_slice(&self.body)
    }

    /// The first header of this name; names in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// Fails the test with the whole answer when the status is another.
    #[track_caller]
    #[expect(clippy::panic, reason = "a wrong answer fails the test, with the answer in the message")]
    pub fn expect_status(self, status: u16) -> Response {
        if self.status != status {
            panic!("expected status {status}, got:\n{self}");
        }
        self
    }
}

impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.status)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {value}")?;
        }
        write!(f, "\n{}", self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_encoded_as_browsers_do() {
        assert_eq!(form("a b&c=ü*"), "a+b%26c%3D%C3%BC*");
    }
}
