//! Bytes over TCP, for what no HTTP client would send.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A connection that sends what it is told, byte for byte.
#[derive(Debug)]
pub struct Raw {
    stream: TcpStream,
}

impl Raw {
    /// Connects to `127.0.0.1:PORT`; reads give up after 10 s.
    pub fn connect(address: &str) -> std::io::Result<Raw> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.set_write_timeout(Some(Duration::from_secs(10)))?;
        Ok(Raw { stream })
    }

    /// Sends all; an error means that the host closed first.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<&mut Raw> {
        self.stream.write_all(bytes.as_ref())?;
        Ok(self)
    }

    /// Closes our half: the host reads end of file.
    pub fn finish(&mut self) -> std::io::Result<&mut Raw> {
        self.stream.shutdown(std::net::Shutdown::Write)?;
        Ok(self)
    }

    /// All that comes until the host closes, or nothing comes for the read timeout.
    pub fn read_all(&mut self) -> String {
        let mut all = Vec::new();
        let mut chunk = [0; 4096];
        while let Ok(count) = self.stream.read(&mut chunk) {
            if count == 0 {
                break;
            }
            all.extend_from_slice(chunk.get(..count).unwrap_or_default());
        }
        String::from_utf8_lossy(&all).into_owned()
    }

    /// One answer: its head, and the body that `content-length` announces. The status and the whole text; status 0 when the
    /// host closes without one.
    pub fn answer(&mut self) -> (u16, String) {
        let mut all = Vec::new();
        let mut byte = [0; 1];
        while !all.ends_with(b"\r\n\r\n") {
            match self.stream.read(&mut byte) {
                Ok(1) => all.push(byte[0]),
                _ => break,
            }
        }
        let head = String::from_utf8_lossy(&all).into_owned();
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            if name.eq_ignore_ascii_case("content-length") { value.trim().parse::<usize>().ok() } else { None }
        });
        let mut body = vec![0; length.unwrap_or_default()];
        let read = self.stream.read_exact(&mut body);
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        let body = if read.is_ok() { String::from_utf8_lossy(&body).into_owned() } else { String::new() };
        (status, head + &body)
    }

    /// True when the host has closed the connection, within the patience.
    pub fn is_closed_within(&mut self, patience: Duration) -> bool {
        let _ = self.stream.set_read_timeout(Some(patience));
        let mut byte = [0; 1];
        match self.stream.read(&mut byte) {
            Ok(0) => true,
            Ok(_) => false,
            Err(error) => !matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut),
        }
    }

    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }
}

/// One request on a connection of its own; the status and the whole answer.
pub fn raw(address: &str, request: impl AsRef<[u8]>) -> std::io::Result<(u16, String)> {
    let mut connection = Raw::connect(address)?;
    connection.send(request)?;
    Ok(connection.answer())
}
