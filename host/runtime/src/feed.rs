//! A request's content on its way into the guest, polled only while the guest reads.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use wasmtime::{
    StoreContextMut,
    component::{Destination, StreamProducer, StreamResult},
};

use crate::{
    epochs,
    message::{BodyFault, BodyStream},
    state::State,
};

/// The host's end of the stream that the guest reads.
pub(crate) struct Feed {
    body: BodyStream,
    left: u64,
    limit: u64,
}

impl Feed {
    pub fn new(body: BodyStream, limit: u64) -> Feed {
        Feed { body, left: limit, limit }
    }
}

impl StreamProducer<State> for Feed {
    type Item = u8;
    type Buffer = Bytes;

    /// A fault of the body is an error, not an end: the guest must not take a part for the whole, so it is stopped.
    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut store: StoreContextMut<'a, State>,
        mut destination: Destination<'a, u8, Bytes>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        if destination.remaining(&mut store) == Some(0) {
            // The guest only asks whether there is something; the next read will wait for it.
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        loop {
            match self.body.as_mut().poll_next(cx) {
                Poll::Ready(Some(Ok(chunk))) if chunk.is_empty() => {}
                Poll::Ready(Some(Ok(chunk))) => {
                    let Some(left) = self.left.checked_sub(chunk.len() as u64) else {
                        return Poll::Ready(Err(BodyFault::TooLarge { limit: self.limit }.into()));
                    };
                    self.left = left;
                    store.data_mut().chunk_moved();
                    epochs::restart(&mut store);
                    destination.set_buffer(chunk);
                    return Poll::Ready(Ok(StreamResult::Completed));
                }
                Poll::Ready(Some(Err(fault))) => return Poll::Ready(Err(fault.into())),
                Poll::Ready(None) => return Poll::Ready(Ok(StreamResult::Dropped)),
                Poll::Pending if finish => return Poll::Ready(Ok(StreamResult::Cancelled)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
