//! A TCP stream for hyper: it gives back what was read ahead, and tells the connection what moves.

use std::{
    future::Future,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use tokio::{net::TcpStream, time::Sleep};

use super::{
    connection::{Connection, Fate},
    outbox::{Outbox, Wire},
};

pub(super) struct Socket {
    wire: Rc<Wire>,
    connection: Rc<Connection>,
    /// Read before hyper took over, not yet given to it.
    ahead: Vec<u8>,
    /// Our side is closed; the rest is read until then.
    lingering: Option<Pin<Box<Sleep>>>,
}

/// How long a client may go on sending after the last word to it. One that is refused in the middle of an upload reads the
/// answer only if its connection is not reset meanwhile, as it would be with bytes left unread (RFC 9112 §9.6).
const LINGER: Duration = Duration::from_secs(2);

/// What a client reads that did not finish its head in time.
const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

impl Socket {
    pub fn new(stream: TcpStream, outbox: Rc<Outbox>, connection: Rc<Connection>, ahead: Vec<u8>) -> Socket {
        Socket { wire: Wire::new(stream, outbox), connection, ahead, lingering: None }
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
            let _ = self.wire.stream.borrow().inner().try_write(TOO_SLOW);
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let read = Pin::new(&mut *self.wire.stream.borrow_mut()).poll_read(cx, buf);
        if matches!(read, Poll::Ready(Ok(()))) {
            // Bytes, or the end: either way the client did something.
            self.connection.heard();
        }
        read
    }
}

impl Write for Socket {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = self.wire.poll_write(cx, buf);
        self.connection.sent(written.is_ready());
        written
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.wire.poll_flush(cx);
        if flushed.is_pending() {
            self.connection.sent(false);
        }
        flushed
    }

    /// Closes our side, then reads what still comes, up to the client's end or [`LINGER`].
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = Rc::clone(&self.wire);
        if self.lingering.is_none() {
            ready!(wire.poll_drain(cx))?;
            ready!(Pin::new(&mut *wire.stream.borrow_mut()).poll_shutdown(cx))?;
            if self.connection.fate() == Fate::Drain {
                // The whole host goes, and waits for nobody.
                return Poll::Ready(Ok(()));
            }
            self.lingering = Some(Box::pin(tokio::time::sleep(LINGER)));
        }
        let mut unwanted = [0; 4096];
        loop {
            if let Some(end) = &mut self.lingering
                && end.as_mut().poll(cx).is_ready()
            {
                return Poll::Ready(Ok(()));
            }
            let mut unwanted = ReadBuf::new(&mut unwanted);
            match ready!(Pin::new(&mut *wire.stream.borrow_mut()).poll_read(cx, unwanted.unfilled())) {
                Ok(()) if !unwanted.filled().is_empty() => {}
                // Its end, or a connection that is gone: there is nobody left to wait for.
                _ => return Poll::Ready(Ok(())),
            }
        }
    }
}
