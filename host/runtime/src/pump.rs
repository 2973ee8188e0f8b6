//! What goes on after the head of a response was handed over: content that the guest still writes, and whatever tasks it
//! has spawned. The instance runs on in a local task of its worker thread and holds its turn until all is done.
//!
//! Back-pressure: a few chunks lie between the guest and the client; then the guest's write waits. A client that goes away
//! takes the instance with it. Silence in either direction is bounded by `limits.stream_idle`, work after the end of the
//! response by `limits.deadline`.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures::{
    FutureExt,
    channel::{mpsc, oneshot},
    task::AtomicWaker,
};
use tokio::time::Instant;
use wasmtime::{
    AsContextMut, StoreContextMut,
    component::{Source, StreamConsumer, StreamReader, StreamResult},
};

use crate::{epochs, error::HandleError, instance::Instance, message::ResponseStream, state::State};

/// Chunks between guest and client.
const CHUNKS: usize = 4;
/// Bytes of the largest chunk taken from the guest at once.
const MAX_CHUNK: usize = 64 << 10;

/// Connects a guest's stream to a client. Whoever sends the response calls [`run_on`], so that something flows.
///
/// # Errors
/// When the stream is not the guest's to give.
pub(crate) fn connect(
    store: &mut StoreContextMut<'_, State>,
    reader: StreamReader<u8>,
) -> wasmtime::Result<(ResponseStream, Client)> {
    let (sender, receiver) = mpsc::channel(CHUNKS);
    let (alive, gone) = oneshot::channel();
    let flow = Arc::new(Flow::new(store.data().generation.engine.clock.micros()));
    reader.pipe(store.as_context_mut(), Sink { sender, flow: Arc::clone(&flow) })?;
    store.data_mut().flow = Some(Arc::clone(&flow));
    Ok((ResponseStream::new(receiver, alive, Arc::clone(&flow)), Client { flow, gone }))
}

/// What the task between a guest and its client knows of the client.
pub(crate) struct Client {
    flow: Arc<Flow>,
    gone: oneshot::Receiver<()>,
}

/// Keeps an instance going whose guest has answered but is not done: in a task of this thread's.
pub(crate) fn run_on(instance: Instance, client: Option<Client>) {
    tokio::task::spawn_local(finish(instance, client));
}

/// What the guest's end, the client's end and the task between them know of each other.
pub(crate) struct Flow {
    /// The guest has closed its end, or is gone.
    ended: AtomicBool,
    /// Coarse time of the last chunk.
    moved: AtomicU64,
    waker: AtomicWaker,
    /// Why the content is not whole.
    fault: OnceLock<HandleError>,
}

impl Flow {
    fn new(now: u64) -> Flow {
        Flow {
            ended: AtomicBool::new(false),
            moved: AtomicU64::new(now),
            waker: AtomicWaker::new(),
            fault: OnceLock::new(),
        }
    }

    pub fn fault(&self) -> Option<&HandleError> {
        self.fault.get()
    }

    pub fn has_ended(&self) -> bool {
        self.ended.load(Relaxed)
    }

    /// Waits for the end. One may wait.
    pub async fn ended(&self) {
        poll_fn(|cx| {
            self.waker.register(cx.waker());
            if self.has_ended() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// The content breaks off here, unless it has ended. To be called before the guest's end goes: else the client would see a
    /// proper end.
    pub fn break_off(&self, error: &HandleError) {
        if !self.has_ended() {
            let _first = self.fault.set(error.clone());
        }
    }
}

async fn finish(mut instance: Instance, client: Option<Client>) {
    let generation = Arc::clone(instance.generation());
    let (flow, mut gone) = client.map(|client| (client.flow, client.gone)).unzip();
    let outcome = {
        let mut timer = pin!(tokio::time::sleep(Duration::ZERO));
        let mut ended_at = None;
        poll_fn(|cx| {
            if let Poll::Ready(outcome) = instance.poll_rest(cx) {
                return Poll::Ready(outcome.map_err(Stop::Fault));
            }
            // Until when, as things stand now.
            let streaming = flow.as_ref().filter(|flow| !flow.has_ended());
            let until = match streaming {
                Some(flow) => {
                    if gone.as_mut().is_some_and(|gone| gone.poll_unpin(cx).is_ready()) {
                        return Poll::Ready(Err(Stop::ClientGone));
                    }
                    let silent = generation.engine.clock.micros().saturating_sub(flow.moved.load(Relaxed));
                    let left = generation.limits.stream_idle.saturating_sub(Duration::from_micros(silent));
                    Instant::now() + left
                }
                None => *ended_at.get_or_insert_with(Instant::now) + generation.limits.deadline,
            };
            if until <= Instant::now() {
                return Poll::Ready(Err(Stop::Late(match streaming {
                    Some(_) => generation.limits.stream_idle,
                    None => generation.limits.deadline,
                })));
            }
            // The timer may ring early, for an older `until`; then it is set again.
            if timer.is_elapsed() || timer.deadline() > until {
                timer.as_mut().reset(until);
            }
            if timer.as_mut().poll(cx).is_ready() {
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        })
        .await
    };
    let error = match outcome {
        Ok(()) => return instance.rest(),
        Err(Stop::ClientGone) => return,
        Err(Stop::Late(limit)) => HandleError::Deadline { limit },
        Err(Stop::Fault(error)) => error,
    };
    generation.failed(&error, instance.route());
    if let Some(flow) = &flow {
        flow.break_off(&error);
    }
}

enum Stop {
    ClientGone,
    Late(Duration),
    Fault(HandleError),
}

/// The host's end of the stream that the guest writes.
struct Sink {
    sender: mpsc::Sender<Result<Bytes, HandleError>>,
    flow: Arc<Flow>,
}

impl StreamConsumer<State> for Sink {
    type Item = u8;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut store: StoreContextMut<State>,
        source: Source<'_, u8>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        match self.sender.poll_ready(cx) {
            Poll::Pending if finish => return Poll::Ready(Ok(StreamResult::Cancelled)),
            other => {
                if ready!(other).is_err() {
                    return Poll::Ready(Ok(StreamResult::Dropped));
                }
            }
        }
        store.data_mut().chunk_moved();
        epochs::restart(&mut store);
        self.flow.moved.store(store.data().generation.engine.clock.micros(), Relaxed);
        let mut source = source.as_direct(store);
        let available = source.remaining();
        let chunk = Bytes::copy_from_slice(available.get(..MAX_CHUNK).unwrap_or(available));
        source.mark_read(chunk.len());
        if !chunk.is_empty() && self.sender.start_send(Ok(chunk)).is_err() {
            return Poll::Ready(Ok(StreamResult::Dropped));
        }
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.flow.ended.store(true, Relaxed);
        self.flow.waker.wake();
    }
}
