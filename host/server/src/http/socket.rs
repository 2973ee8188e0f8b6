//! A TCP stream for hyper: it gives back what was read ahead, and tells the connection what moves.

use std::{
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::connection::{Connection, Fate};

pub(super) struct Socket {
    stream: TokioIo<TcpStream>,
    connection: Rc<Connection>,
    /// Read before hyper took over, not yet given to it.
    ahead: Vec<u8>,
}

/// What a client reads that did not finish its head in time.
const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

impl Socket {
    pub fn new(stream: TcpStream, connection: Rc<Connection>, ahead: Vec<u8>) -> Socket {
        Socket { stream: TokioIo::new(stream), connection, ahead }
    }
}

impl Read for Socket {
    #[inline]
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, mut buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let count = self.ahead.len().min(buf.remaining());
            let rest = self.ahead.split_off(count);
            buf.put_slice(&self.ahead);
            self.ahead = rest;
            self.connection.heard();
            return Poll::Ready(Ok(()));
        }
        if self.connection.fate() == Fate::Overdue && self.connection.head_has_begun() {
            // Nothing else is being written: the head of a request is awaited.
            let _ = self.stream.inner().try_write(TOO_SLOW);
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if matches!(read, Poll::Ready(Ok(()))) {
            // Bytes, or the end: either way the client did something.
            self.connection.heard();
        }
        read
    }
}

impl Write for Socket {
    #[inline]
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.connection.sent(written.is_ready());
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    #[inline]
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.connection.sent(written.is_ready());
        written
    }
}
