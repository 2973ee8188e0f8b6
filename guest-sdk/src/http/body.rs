//! Content: whole, or as it comes.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use wit_bindgen::StreamResult;

use crate::bindings::covet::http::types as wit;
use crate::bindings::wit_stream;
use crate::{Error, Result};

type Reader = wit_bindgen::StreamReader<u8>;
type Writer = wit_bindgen::StreamWriter<u8>;
type Chunks = Pin<Box<dyn Stream<Item = Vec<u8>>>>;
pub(crate) type Task = Pin<Box<dyn Future<Output = ()>>>;

/// The content of a request or of a response.
#[derive(Default)]
pub struct Body(Inner);

#[derive(Default)]
enum Inner {
    #[default]
    Empty,
    Bytes(Vec<u8>),
    /// What the host sends.
    Incoming(Reader),
    /// What the plugin sends, chunk by chunk.
    Stream(Chunks),
    /// What the plugin sends, from a function that writes.
    Write(Box<dyn FnOnce(BodyWriter) -> Task>),
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Inner::Empty => f.write_str("Body(empty)"),
            Inner::Bytes(bytes) => write!(f, "Body({} bytes)", bytes.len()),
            _ => f.write_str("Body(stream)"),
        }
    }
}

impl Body {
    /// No content.
    pub const fn empty() -> Self {
        Body(Inner::Empty)
    }

    /// Content from a stream of chunks. It is asked for the next chunk when the client has taken the one before.
    ///
    /// ```
    /// use covet::futures::stream;
    /// use covet::prelude::*;
    ///
    /// #[get("/count")]
    /// async fn count() -> Body {
    ///     Body::stream(stream::iter(0..1_000).map(|n| format!("{n}\n")))
    /// }
    /// # use covet::futures::StreamExt;
    /// ```
    pub fn stream<S>(chunks: S) -> Self
    where
        S: Stream + 'static,
        S::Item: Into<Vec<u8>>,
    {
        Body(Inner::Stream(Box::pin(chunks.map(Into::into))))
    }

    /// Content from a function that writes it while it is sent. An `Err` is logged and breaks the response off, so that
    /// the client does not take half for the whole. A client that went away is no error.
    ///
    /// ```
    /// use covet::prelude::*;
    ///
    /// #[get("/export.csv")]
    /// async fn export() -> Response {
    ///     Response::new(Body::write(async |mut out| {
    ///         for n in 0..1_000 {
    ///             out.write(format!("{n}\n")).await?;
    ///         }
    ///         Ok(())
    ///     }))
    ///     .header("content-type", "text/csv")
    /// }
    /// ```
    pub fn write<F>(work: F) -> Self
    where
        F: AsyncFnOnce(BodyWriter) -> Result<()> + 'static,
    {
        Body(Inner::Write(Box::new(|writer| {
            Box::pin(async move {
                let stream = writer.0.clone();
                match work(writer).await {
                    Ok(()) => {}
                    Err(Error::Rejected(rejection)) if rejection.code == Closed::CODE => {}
                    // A trap is the wall's only way to end a stream as broken. `stream` is still open here: closed, it
                    // would have told the host that this was all.
                    #[allow(clippy::panic)]
                    Err(error) => panic!("the response broke off: {error}"),
                }
                drop(stream);
            })
        })))
    }

    /// True when there is nothing in it.
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Inner::Empty => true,
            Inner::Bytes(bytes) => bytes.is_empty(),
            _ => false,
        }
    }

    /// All of it, in memory. Free for a request's content unless the route reads it as a stream.
    ///
    /// # Errors
    /// None today; a stream that breaks off ends the request.
    pub async fn collect(self) -> Result<Vec<u8>> {
        match self.0 {
            Inner::Empty => Ok(Vec::new()),
            Inner::Bytes(bytes) => Ok(bytes),
            Inner::Incoming(reader) => Ok(reader.collect().await),
            Inner::Stream(chunks) => Ok(chunks.collect::<Vec<_>>().await.concat()),
            Inner::Write(_) => Err(Error::internal("a body that is written for a client cannot be read back")),
        }
    }

    pub(crate) fn from_wire(body: wit::Body) -> Self {
        Body(match body {
            wit::Body::Empty => Inner::Empty,
            wit::Body::Bytes(bytes) => Inner::Bytes(bytes),
            wit::Body::Chunks(reader) => Inner::Incoming(reader),
        })
    }

    /// As it crosses, and what is to be run behind the response so that it does.
    #[inline]
    pub(crate) fn into_wire(self) -> (wit::Body, Option<Task>) {
        match self.0 {
            Inner::Empty => (wit::Body::Empty, None),
            Inner::Bytes(bytes) => (wit::Body::Bytes(bytes), None),
            Inner::Incoming(reader) => (wit::Body::Chunks(reader), None),
            Inner::Stream(chunks) => {
                let (writer, reader) = wit_stream::new::<u8>();
                (wit::Body::Chunks(reader), Some(Box::pin(send(chunks, writer))))
            }
            Inner::Write(work) => {
                let (writer, reader) = wit_stream::new::<u8>();
                (wit::Body::Chunks(reader), Some(work(BodyWriter(Rc::new(RefCell::new(writer))))))
            }
        }
    }
}

async fn send(chunks: Chunks, mut writer: Writer) {
    let mut chunks = pin!(chunks);
    while let Some(chunk) = chunks.next().await {
        if !chunk.is_empty() && !writer.write_all(chunk).await.is_empty() {
            // The client went away: there is nobody to tell.
            return;
        }
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Body(Inner::Bytes(bytes))
    }
}
impl From<String> for Body {
    fn from(text: String) -> Self {
        Body(Inner::Bytes(text.into_bytes()))
    }
}
impl From<&str> for Body {
    fn from(text: &str) -> Self {
        Body(Inner::Bytes(text.as_bytes().to_vec()))
    }
}
impl From<&[u8]> for Body {
    fn from(bytes: &[u8]) -> Self {
        Body(Inner::Bytes(bytes.to_vec()))
    }
}
impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Body(Inner::Bytes(bytes.into()))
    }
}

/// The client went away while a response was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed;

impl Closed {
    const CODE: &'static str = "client-closed";
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client went away")
    }
}
impl std::error::Error for Closed {}
impl From<Closed> for Error {
    fn from(_: Closed) -> Self {
        Error::bad_request_code(Closed::CODE)
    }
}

/// Where [`Body::write`] writes. Shared with `Body::write` itself, which closes it; only the function writes.
#[derive(Debug)]
pub struct BodyWriter(Rc<RefCell<Writer>>);

impl BodyWriter {
    /// Writes a chunk; waits until the client's connection has taken it.
    ///
    /// # Errors
    /// [`Closed`] when the client went away: stop.
    #[allow(clippy::await_holding_refcell_ref)] // There is one BodyWriter, and `&mut self`: nobody else borrows.
    pub async fn write(&mut self, chunk: impl Into<Vec<u8>>) -> Result<(), Closed> {
        let chunk = chunk.into();
        if chunk.is_empty() {
            return Ok(());
        }
        match self.0.borrow_mut().write_all(chunk).await.is_empty() {
            true => Ok(()),
            false => Err(Closed),
        }
    }
}

/// The content of a request as it arrives, as an argument of a handler: it starts before the content is complete, and
/// no more of it is in memory than one chunk. Back-pressure reaches the client.
///
/// ```
/// use covet::prelude::*;
///
/// #[post("/measure")]
/// async fn measure(mut body: BodyStream) -> Result<String> {
///     let mut bytes = 0;
///     while let Some(chunk) = body.next().await {
///         bytes += chunk.len();
///     }
///     Ok(format!("{bytes} bytes"))
/// }
/// ```
#[derive(Debug)]
pub struct BodyStream(pub(crate) Body);

impl BodyStream {
    /// Most bytes of one chunk.
    pub const CHUNK: usize = 64 * 1024;

    /// The next chunk, or none at the end.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        match &mut self.0.0 {
            Inner::Empty | Inner::Write(_) => None,
            Inner::Bytes(_) => {
                let body = std::mem::take(&mut self.0);
                body.collect().await.ok().filter(|bytes| !bytes.is_empty())
            }
            Inner::Stream(chunks) => chunks.next().await,
            Inner::Incoming(reader) => loop {
                let (status, chunk) = reader.read(Vec::with_capacity(Self::CHUNK)).await;
                if !chunk.is_empty() {
                    return Some(chunk);
                }
                if !matches!(status, StreamResult::Complete(_)) {
                    return None;
                }
            },
        }
    }

    /// As a [`Stream`] of chunks.
    pub fn into_stream(self) -> impl Stream<Item = Vec<u8>> + 'static {
        futures::stream::unfold(self, async |mut body| body.next().await.map(|chunk| (chunk, body)))
    }
}

/// To hand a request's content through: `Body::from(stream)` as a response sends what arrives.
impl From<BodyStream> for Body {
    fn from(stream: BodyStream) -> Self {
        stream.0
    }
}
