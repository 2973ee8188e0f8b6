//! The content of a request: collected up to a limit, or handed on as it comes. A client that is slow is not waited for.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use covet_runtime::BodyFault;
use hyper::body::{Body as _, Incoming};
use tokio::time::Sleep;

/// Bytes a second that a client must send in the long run, once a timeout's time has passed.
const LEAST_RATE: u64 = 256;

/// Why a body did not arrive.
#[derive(Debug)]
pub(crate) enum ContentError {
    /// Past the limit, in bytes.
    TooLarge(u64),
    /// Too slow: nothing for the body timeout, or less than 256 bytes a second.
    Slow,
    Broken(String),
}

/// A request's content, with limit and patience.
pub(crate) struct Content {
    incoming: Incoming,
    left: u64,
    limit: u64,
    patience: Duration,
    /// Set when there is something to wait for: content that came with its head costs no timer.
    timer: Option<Pin<Box<Sleep>>>,
    began: Option<Instant>,
    received: u64,
}

impl Content {
    /// # Errors
    /// [`ContentError::TooLarge`] when the head says so already.
    pub fn new(incoming: Incoming, limit: u64, patience: Duration) -> Result<Content, ContentError> {
        if incoming.size_hint().lower() > limit {
            return Err(ContentError::TooLarge(limit));
        }
        Ok(Content { incoming, left: limit, limit, patience, timer: None, began: None, received: 0 })
    }

    pub fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, ContentError>>> {
        loop {
            match Pin::new(&mut self.incoming).poll_frame(cx) {
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(Some(Err(ContentError::Broken(error.to_string()))));
                }
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers are dropped.
                    let Ok(data) = frame.into_data() else { continue };
                    if data.is_empty() {
                        continue;
                    }
                    let Some(left) = self.left.checked_sub(data.len() as u64) else {
                        return Poll::Ready(Some(Err(ContentError::TooLarge(self.limit))));
                    };
                    self.left = left;
                    self.received += data.len() as u64;
                    self.timer = None;
                    return Poll::Ready(Some(Ok(data)));
                }
                Poll::Pending => {
                    let elapsed = self.began.get_or_insert_with(Instant::now).elapsed();
                    if elapsed > self.patience && self.received < elapsed.as_secs() * LEAST_RATE {
                        return Poll::Ready(Some(Err(ContentError::Slow)));
                    }
                    let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.patience)));
                    ready!(timer.as_mut().poll(cx));
                    return Poll::Ready(Some(Err(ContentError::Slow)));
                }
            }
        }
    }

    pub async fn chunk(&mut self) -> Option<Result<Bytes, ContentError>> {
        poll_fn(|cx| self.poll_chunk(cx)).await
    }

    /// All of it.
    pub async fn collect(mut self) -> Result<Bytes, ContentError> {
        let Some(first) = self.chunk().await.transpose()? else { return Ok(Bytes::new()) };
        if self.incoming.is_end_stream() {
            return Ok(first);
        }
        let Some(second) = self.chunk().await.transpose()? else { return Ok(first) };
        let expected = usize::try_from(self.incoming.size_hint().lower()).unwrap_or(0);
        let mut all = BytesMut::with_capacity(first.len() + second.len() + expected);
        all.extend_from_slice(&first);
        all.extend_from_slice(&second);
        while let Some(chunk) = self.chunk().await.transpose()? {
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    }
}

/// As a plugin reads it. A guest that thinks for long before it reads on is not the client's fault: the rate is not measured.
impl futures::Stream for Content {
    type Item = Result<Bytes, BodyFault>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.began = None;
        self.poll_chunk(cx).map(|chunk| {
            chunk.map(|chunk| {
                chunk.map_err(|error| match error {
                    ContentError::TooLarge(limit) => BodyFault::TooLarge { limit },
                    ContentError::Slow => BodyFault::Broken("the client sent nothing for too long".to_owned()),
                    ContentError::Broken(why) => BodyFault::Broken(why),
                })
            })
        })
    }
}
