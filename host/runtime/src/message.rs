//! What goes through a handler: a request in, a response out.
//!
//! Both are shaped for the wall rather than for convenience: the head of a request is packed once, straight from where
//! the server holds it, and the headers of a response are read in place.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures::{
    Stream,
    channel::{mpsc, oneshot},
};

use crate::{error::HandleError, pump::Flow};

/// Headers that a response may have.
pub const MAX_RESPONSE_HEADERS: usize = 256;
/// Bytes of all headers of a response together.
pub const MAX_RESPONSE_HEADER_BYTES: usize = 64 << 10;

/// One request for one handler.
pub struct Request {
    /// Index into `Description::routes`.
    pub route: u32,
    pub head: Head,
    pub body: RequestBody,
}

/// A request's content.
#[derive(Default)]
pub enum RequestBody {
    #[default]
    Empty,
    /// Collected by the server.
    Bytes(Bytes),
    /// As it arrives, for routes with `stream_body`. It is polled only while the guest reads: back-pressure.
    Stream(BodyStream),
}

/// Chunks of a request's content.
pub type BodyStream = Pin<Box<dyn Stream<Item = Result<Bytes, BodyFault>> + Send>>;

/// Why a request's content ended early. It ends the request too.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyFault {
    #[error("larger than {limit} bytes")]
    TooLarge { limit: u64 },
    /// The client went away, stalled, or broke the protocol.
    #[error("{0}")]
    Broken(String),
}

/// Everything of a request but its content, packed as `wit/deps/http/http.wit` says.
#[derive(Clone)]
pub struct Head(Bytes);

impl Head {
    /// Packs a head: one allocation.
    ///
    /// `target` is the path with its query as the client sent it; `params` are percent-decoded, in the order of the
    /// route's path; header names are lower-case; `remote` is the client's address. Headers past 65,535 are left out
    /// (the server's own limit is far below).
    pub fn new<'a>(
        method: &str,
        target: &str,
        params: impl ExactSizeIterator<Item = &'a str>,
        headers: impl Iterator<Item = (&'a str, &'a [u8])>,
        remote: &str,
    ) -> Head {
        // Enough for a browser's request; growing once is no harm.
        let mut buffer = Vec::with_capacity(target.len() + 768);
        write_head(&mut buffer, ARRAY, 5);
        write_text(&mut buffer, method);
        write_text(&mut buffer, target);
        write_head(&mut buffer, ARRAY, params.len());
        for param in params {
            write_text(&mut buffer, param);
        }
        // The count is known afterwards: a two-byte length, patched.
        let at = buffer.len();
        buffer.extend_from_slice(&[ARRAY | 25, 0, 0]);
        let mut count = 0u16;
        for (name, value) in headers.take(usize::from(u16::MAX)) {
            count += 1;
            buffer.push(ARRAY | 2);
            write_text(&mut buffer, name);
            write_head(&mut buffer, BYTES, value.len());
            buffer.extend_from_slice(value);
        }
        if let Some(length) = buffer.get_mut(at + 1..at + 3) {
            length.copy_from_slice(&count.to_be_bytes());
        }
        write_text(&mut buffer, remote);
        Head(buffer.into())
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        self.0
    }
}

/// Major types of RFC 8949 §3.1.
const BYTES: u8 = 2 << 5;
const TEXT: u8 = 3 << 5;
const ARRAY: u8 = 4 << 5;

fn write_head(buffer: &mut Vec<u8>, major: u8, length: usize) {
    if length < 24 {
        buffer.push(major | length as u8);
    } else if let Ok(length) = u8::try_from(length) {
        buffer.extend_from_slice(&[major | 24, length]);
    } else if let Ok(length) = u16::try_from(length) {
        buffer.push(major | 25);
        buffer.extend_from_slice(&length.to_be_bytes());
    } else {
        buffer.push(major | 27);
        buffer.extend_from_slice(&(length as u64).to_be_bytes());
    }
}

fn write_text(buffer: &mut Vec<u8>, text: &str) {
    write_head(buffer, TEXT, text.len());
    buffer.extend_from_slice(text.as_bytes());
}

/// A handler's answer.
#[derive(Debug)]
pub struct Response {
    /// 200 to 599.
    pub status: u16,
    pub headers: Headers,
    pub body: ResponseBody,
}

/// A response's content.
#[derive(Debug)]
pub enum ResponseBody {
    Empty,
    Bytes(Bytes),
    Stream(ResponseStream),
}

/// A response's headers, read in place. The names and values are the guest's own: the server checks them against HTTP.
#[derive(Clone, Default)]
pub struct Headers {
    packed: Bytes,
    count: usize,
}

impl Headers {
    /// Checks the form and the limits.
    pub(crate) fn parse(packed: Bytes) -> Result<Headers, HandleError> {
        if packed.is_empty() {
            return Ok(Headers::default());
        }
        if packed.len() > MAX_RESPONSE_HEADER_BYTES {
            return Err(HandleError::BadResponse(format!(
                "its headers are {} bytes, the limit is {MAX_RESPONSE_HEADER_BYTES}",
                packed.len()
            )));
        }
        let mut decoder = minicbor::Decoder::new(&packed);
        let count = check(&mut decoder).map_err(|error| {
            HandleError::BadResponse(format!("its headers are not CBOR [[name, value]...]: {error}"))
        })?;
        if count > MAX_RESPONSE_HEADERS {
            return Err(HandleError::BadResponse(format!(
                "it has {count} headers, the limit is {MAX_RESPONSE_HEADERS}"
            )));
        }
        return Ok(Headers { packed, count });

        fn check(decoder: &mut minicbor::Decoder<'_>) -> Result<usize, minicbor::decode::Error> {
            let count = definite(decoder)?;
            for _ in 0..count {
                if definite(decoder)? != 2 {
                    return Err(minicbor::decode::Error::message("a header is not a pair"));
                }
                decoder.str()?;
                decoder.bytes()?;
            }
            Ok(usize::try_from(count).unwrap_or(usize::MAX))
        }

        fn definite(decoder: &mut minicbor::Decoder<'_>) -> Result<u64, minicbor::decode::Error> {
            decoder.array()?.ok_or_else(|| minicbor::decode::Error::message("an array of indefinite length"))
        }
    }

    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Names and values in the guest's order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let mut decoder = minicbor::Decoder::new(&self.packed);
        let _count = decoder.array();
        (0..self.count).map_while(move |_| {
            decoder.array().ok()?;
            Some((decoder.str().ok()?, decoder.bytes().ok()?))
        })
    }

    /// As [`Headers::iter`], each value sharing the response's own buffer.
    pub fn shared(&self) -> impl Iterator<Item = (&str, Bytes)> {
        self.iter().map(|(name, value)| (name, self.packed.slice_ref(value)))
    }

    /// The first value of `name` (lower-case).
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(candidate, _)| candidate.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(name, value)| (name, String::from_utf8_lossy(value)))).finish()
    }
}

/// Content as the guest writes it. An `Err` means that the guest failed after its head was sent: break the connection off,
/// so that the client does not take a part for the whole. Dropping it ends the guest's request and its instance.
pub struct ResponseStream {
    chunks: mpsc::Receiver<Result<Bytes, HandleError>>,
    /// Its drop tells the guest's side that nobody reads any more.
    _alive: oneshot::Sender<()>,
    flow: Arc<Flow>,
    failed: bool,
}

impl ResponseStream {
    pub(crate) fn new(
        chunks: mpsc::Receiver<Result<Bytes, HandleError>>,
        alive: oneshot::Sender<()>,
        flow: Arc<Flow>,
    ) -> ResponseStream {
        ResponseStream { chunks, _alive: alive, flow, failed: false }
    }

    /// The next chunk, or none at the end.
    pub async fn next(&mut self) -> Option<Result<Bytes, HandleError>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for ResponseStream {
    type Item = Result<Bytes, HandleError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.failed {
            return Poll::Ready(None);
        }
        match ready!(Pin::new(&mut self.chunks).poll_next(cx)) {
            Some(chunk) => Poll::Ready(Some(chunk)),
            // The guest's end is gone. It said why before it went, unless all is well.
            None => {
                self.failed = true;
                Poll::Ready(self.flow.fault().cloned().map(Err))
            }
        }
    }
}

impl fmt::Debug for ResponseStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseStream")
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RequestBody::Empty => f.write_str("Empty"),
            RequestBody::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            RequestBody::Stream(_) => f.write_str("Stream"),
        }
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Head({} bytes)", self.0.len())
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("route", &self.route)
            .field("head", &self.head)
            .field("body", &self.body)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_the_documented_cbor() {
        let long = "x".repeat(70_000);
        let head = Head::new(
            "GET",
            "/posts/7?page=2",
            ["7", &long].into_iter(),
            [("accept", &b"text/html"[..]), ("x", &[0xff; 300][..])].into_iter(),
            "127.0.0.1:9",
        );
        let bytes = head.into_bytes();
        type Decoded<'a> = (&'a str, &'a str, Vec<&'a str>, Vec<(&'a str, &'a minicbor::bytes::ByteSlice)>, &'a str);
        let (method, target, params, headers, remote): Decoded<'_> = minicbor::decode(&bytes).unwrap();
        assert_eq!((method, target, remote), ("GET", "/posts/7?page=2", "127.0.0.1:9"));
        assert_eq!(params, ["7", &long]);
        assert_eq!(headers.len(), 2);
        assert_eq!((headers[1].0, headers[1].1.len()), ("x", 300));
    }

    #[test]
    fn response_headers_are_read_in_place_and_checked() {
        let mut encoder = minicbor::Encoder::new(Vec::new());
        encoder.array(1).unwrap().array(2).unwrap().str("content-type").unwrap().bytes(b"text/html").unwrap();
        let headers = Headers::parse(encoder.into_writer().into()).unwrap();
        assert_eq!(headers.len(), 1);
        assert_eq!(headers.get("Content-Type"), Some(&b"text/html"[..]));
        assert_eq!(headers.shared().next().unwrap().1, "text/html");

        assert!(Headers::parse(Bytes::new()).unwrap().is_empty());
        for bad in
            [&[0x80, 0xff][..1], &[0x9f, 0xff], &[0x81, 0x81, 0x60], &[0x81, 0x82, 0x60, 0x60], &[0x9b; 9], &[0xff]]
        {
            let parsed = Headers::parse(Bytes::copy_from_slice(bad));
            assert_eq!(parsed.is_ok(), bad == [0x80], "{bad:x?}: {parsed:?}");
        }
        assert!(Headers::parse(vec![0x80; MAX_RESPONSE_HEADER_BYTES + 1].into()).is_err());
    }
}
