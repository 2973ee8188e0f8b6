//! A host without plugins on free ports, and a client that may send any bytes.
#![allow(dead_code, reason = "each test file uses a part")]

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use covet_server::{
    Server,
    config::{Config, Secret},
};

pub const TOKEN: &str = "0123456789abcdef0123456789abcdef";

pub struct Host {
    pub server: Server,
    pub state: tempfile::TempDir,
}

/// Starts a host; `tune` may change its settings.
pub fn host(tune: impl FnOnce(&mut Config)) -> Host {
    let state = tempfile::tempdir().unwrap();
    let server = Server::start(config(state.path(), tune)).unwrap();
    Host { server, state }
}

pub fn config(state: &std::path::Path, tune: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config { state: state.join("state"), ..Config::default() };
    config.server.listen = "127.0.0.1:0".parse().unwrap();
    config.admin.listen = "127.0.0.1:0".parse().unwrap();
    config.admin.token = Some(Secret(TOKEN.to_owned()));
    config.server.workers = 2;
    // A small pool: tests start many hosts.
    config.server.memory_budget = 64 << 20;
    config.server.shutdown_grace = Duration::from_secs(2);
    tune(&mut config);
    config
}

impl Host {
    pub fn connect(&self) -> TcpStream {
        connect(self.server.http_addr())
    }

    /// Sends bytes on a new connection and reads until the host closes it, or is silent for half a second.
    pub fn send(&self, bytes: &[u8]) -> String {
        exchange(self.server.http_addr(), bytes)
    }

    /// A request to the admin API.
    pub fn admin(&self, method: &str, path: &str, token: Option<&str>, body: &[u8]) -> String {
        let authorization = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        let mut bytes = format!(
            "{method} {path} HTTP/1.1\r\nhost: admin\r\n{authorization}content-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        )
        .into_bytes();
        bytes.extend_from_slice(body);
        exchange(self.server.admin_addr(), &bytes)
    }

    /// Panics unless a plain request is answered.
    pub fn assert_alive(&self) {
        let answer = self.send(b"GET /nobody HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    }
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
    stream
}

pub fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = connect(address);
    // The host may close before it read everything.
    let _ = stream.write_all(bytes);
    read(&mut stream).0
}

/// What comes until the end or half a second of silence; true when it was the end.
pub fn read(stream: &mut TcpStream) -> (String, bool) {
    let mut all = Vec::new();
    let mut buffer = [0; 16 << 10];
    let closed = loop {
        match stream.read(&mut buffer) {
            Ok(0) => break true,
            Ok(count) => all.extend_from_slice(&buffer[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break false,
            Err(_) => break true,
        }
    };
    (String::from_utf8_lossy(&all).into_owned(), closed)
}

pub fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}
