//! HTTP/1.1 or HTTP/2? The first bytes of a connection say it (RFC 9113 §3.4).

use std::{future::poll_fn, io, rc::Rc, task::Poll};

use tokio::net::TcpStream;

use super::connection::{Connection, Fate};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Reads until it is clear, and answers with what was read; none when the connection ended first. Costs one read of its
/// own a connection, and an idle connection has no other memory than this task.
pub(super) async fn read(stream: &TcpStream, connection: &Rc<Connection>) -> Option<(bool, Vec<u8>)> {
    let mut read = Vec::new();
    poll_fn(|cx| {
        connection.attend(cx);
        loop {
            if connection.fate() != Fate::Live {
                return Poll::Ready(None);
            }
            let mut buffer = [0; PREFACE.len()];
            let space = buffer.get_mut(..PREFACE.len() - read.len()).unwrap_or_default();
            match stream.try_read(space) {
                Ok(0) => return Poll::Ready(None),
                Ok(count) => {
                    read.extend_from_slice(buffer.get(..count).unwrap_or_default());
                    connection.heard();
                    if !PREFACE.starts_with(&read) {
                        return Poll::Ready(Some(false));
                    }
                    if read.len() == PREFACE.len() {
                        return Poll::Ready(Some(true));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => match stream.poll_read_ready(cx) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(_)) => return Poll::Ready(None),
                    Poll::Pending => return Poll::Pending,
                },
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Poll::Ready(None),
            }
        }
    })
    .await
    .map(|is_http2| (is_http2, read))
}
