//! The content of a response, on its way to hyper.

use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use covet_runtime::ResponseStream;
use futures::Stream;
use hyper::body::{Frame, SizeHint};

use super::connection::Busy;

/// Content, and the mark that its connection is busy until it was handed over.
pub(crate) struct Body {
    content: Content,
    _busy: Option<Busy>,
}

enum Content {
    /// Sent with a content-length, in one write with the head where it is small.
    Whole(Bytes),
    /// From a plugin.
    Plugin(ResponseStream),
    /// From the host itself.
    Lines(futures::channel::mpsc::Receiver<Bytes>),
}

/// The content ended before its time: the connection is broken off, so that no client takes a part for the whole.
#[derive(Debug)]
pub(crate) struct BrokenOff(String);

impl fmt::Display for BrokenOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the response broke off: {}", self.0)
    }
}

impl std::error::Error for BrokenOff {}

impl From<Infallible> for BrokenOff {
    fn from(never: Infallible) -> BrokenOff {
        match never {}
    }
}

impl Body {
    pub fn empty() -> Body {
        Body::whole(Bytes::new())
    }

    pub fn whole(bytes: impl Into<Bytes>) -> Body {
        Body { content: Content::Whole(bytes.into()), _busy: None }
    }

    pub fn plugin(stream: ResponseStream) -> Body {
        Body { content: Content::Plugin(stream), _busy: None }
    }

    pub fn lines(lines: futures::channel::mpsc::Receiver<Bytes>) -> Body {
        Body { content: Content::Lines(lines), _busy: None }
    }

    /// The connection is busy until this content was handed over.
    pub fn hold(&mut self, busy: Busy) {
        self._busy = Some(busy);
    }

    /// Its length, unless it is a stream.
    pub fn len(&self) -> Option<usize> {
        match &self.content {
            Content::Whole(bytes) => Some(bytes.len()),
            _ => None,
        }
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = BrokenOff;

    #[inline]
    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match &mut self.content {
            Content::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Content::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Content::Plugin(stream) => Pin::new(stream)
                .poll_next(cx)
                .map(|chunk| chunk.map(|chunk| chunk.map(Frame::data).map_err(|error| BrokenOff(error.to_string())))),
            Content::Lines(lines) => Pin::new(lines).poll_next(cx).map(|line| line.map(|line| Ok(Frame::data(line)))),
        }
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        matches!(&self.content, Content::Whole(bytes) if bytes.is_empty())
    }

    #[inline]
    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            _ => SizeHint::default(),
        }
    }
}
