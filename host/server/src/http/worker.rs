//! A worker: one thread, one event loop, one listener, its connections.

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::pin,
    rc::Rc,
    task::Poll,
    time::{Duration, Instant},
};

use hyper::{
    rt::Executor,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::TokioTimer;
use tokio::{net::TcpStream, sync::watch, task::LocalSet};

use super::{
    Handler, HttpLimits,
    connection::{Crew, Fate, Seat},
    deal::{Dealer, Dealt},
    outbox::Outbox,
    preface,
    socket::Socket,
};

/// How far the shutdown is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Running,
    /// No new connections; what is in flight ends until then.
    Draining(Instant),
}

/// Runs a worker on the calling thread until the shutdown is done.
///
/// # Errors
/// The event loop cannot be made.
pub(crate) fn run<H: Handler>(
    listener: std::net::TcpListener,
    dealer: Dealer,
    handler: impl FnOnce() -> Rc<H>,
    limits: HttpLimits,
    stage: watch::Receiver<Stage>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    local.block_on(&runtime, async move {
        let worker = Rc::new(Worker::new(handler(), limits));
        let ticking = tokio::task::spawn_local(Rc::clone(&worker).tick());
        let delivering = tokio::task::spawn_local(Rc::clone(&worker.outbox).deliver());
        let served = serve(Rc::clone(&worker), listener, dealer, stage).await;
        ticking.abort();
        delivering.abort();
        worker.handler.tick();
        served
    })
}

struct Worker<H> {
    handler: Rc<H>,
    limits: HttpLimits,
    crew: Rc<Crew>,
    outbox: Rc<Outbox>,
    http1: http1::Builder,
    http2: http2::Builder<OnThisThread>,
}

/// Spawns what hyper needs beside a connection on the worker's own thread.
#[derive(Clone, Copy, Debug)]
struct OnThisThread;

impl<F: Future + 'static> Executor<F> for OnThisThread {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(async move {
            future.await;
        });
    }
}

async fn serve<H: Handler>(
    worker: Rc<Worker<H>>,
    listener: std::net::TcpListener,
    mut dealer: Dealer,
    mut stage: watch::Receiver<Stage>,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let mut pause = ACCEPT_PAUSE;
    let until = loop {
        if let Stage::Draining(until) = *stage.borrow() {
            break until;
        }
        if worker.crew.len() >= worker.limits.connections {
            // Those that wait in the kernel are served when somebody leaves.
            tokio::select! {
                () = worker.crew.freed.notified() => {}
                _ = stage.changed() => {}
            }
            continue;
        }
        tokio::select! {
            biased;
            changed = stage.changed() => if changed.is_err() { break Instant::now() },
            Some(dealt) = dealer.dealt.recv() => worker.take_in(dealt),
            accepted = listener.accept() => match accepted {
                Ok((stream, remote)) => {
                    pause = ACCEPT_PAUSE;
                    // Without it, an answer in two writes waits 40 ms for the client's acknowledgement.
                    let _ = stream.set_nodelay(true);
                    worker.deal(&dealer, stream, remote);
                }
                Err(error) if is_the_clients(&error) => {}
                Err(error) => {
                    // No files or no memory left: accepting in a loop would only burn the processor.
                    tracing::warn!(%error, "accepting a connection failed; the next try is in {pause:?}");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(ACCEPT_PAUSE_MOST);
                }
            },
        }
    };
    drop(listener);
    // What others have dealt to us until now is ours; what they deal from now on comes back to them.
    dealer.dealt.close();
    while let Ok(dealt) = dealer.dealt.try_recv() {
        worker.take_in(dealt);
    }
    worker.crew.drain();
    let mut until = until;
    while worker.crew.len() > 0 {
        tokio::select! {
            () = worker.crew.freed.notified() => {}
            () = tokio::time::sleep_until(until.into()) => {
                tracing::warn!(connections = worker.crew.len(), "the shutdown's grace is over; connections are cut");
                break;
            }
            // Told again: less time.
            changed = stage.changed() => match *stage.borrow() {
                Stage::Draining(earlier) if changed.is_ok() => until = until.min(earlier),
                _ => break,
            },
        }
    }
    Ok(())
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(10);
const ACCEPT_PAUSE_MOST: Duration = Duration::from_secs(1);

/// The connection died before it was accepted.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

impl<H: Handler> Worker<H> {
    fn new(handler: Rc<H>, limits: HttpLimits) -> Worker<H> {
        let mut http1 = http1::Builder::new();
        http1
            // Head and content flattened into one buffer: one plain write for what is small. (`pipeline_flush` would do that too,
            // but hyper 1.12 with it never sends its answers to malformed requests: what is left unread suppresses the flush.)
            .writev(false)
            // Ours, without a timer for each request: see `http`.
            .header_read_timeout(None)
            .timer(TokioTimer::new())
            .max_header_size(limits.head)
            // Room for a head of that size; content is read in pieces of at most as much.
            .max_buf_size((limits.head + (16 << 10)).max(128 << 10));
        // hyper keeps its default of 100 on the stack, any other number on the heap.
        if limits.headers != 100 {
            http1.max_headers(limits.headers);
        }
        let mut http2 = http2::Builder::new(OnThisThread);
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.streams)
            .max_header_list_size(u32::try_from(limits.head).unwrap_or(u32::MAX))
            // A peer that vanished without a word is found by a ping.
            .keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(20))
            .max_send_buf_size(256 << 10);
        Worker { handler, limits, crew: Crew::new(), outbox: Rc::default(), http1, http2 }
    }

    async fn tick(self: Rc<Self>) {
        let mut tick = tokio::time::interval(self.limits.tick());
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            self.crew.inspect(&self.limits);
            self.handler.tick();
        }
    }

    /// Gives a connection to the worker that has fewest.
    fn deal(self: &Rc<Self>, dealer: &Dealer, stream: TcpStream, remote: SocketAddr) {
        let held = dealer.pick();
        if dealer.is_mine(&held) {
            tokio::task::spawn_local(Rc::clone(self).attend(stream, self.crew.admit(remote, held)));
            return;
        }
        match stream.into_std() {
            Ok(stream) => {
                if let Err(dealt) = dealer.deal(Dealt { stream, remote, held }) {
                    self.take_in(dealt);
                }
            }
            Err(error) => tracing::warn!(%error, "a connection could not be handed over, and is closed"),
        }
    }

    /// Serves a connection that was accepted elsewhere.
    fn take_in(self: &Rc<Self>, dealt: Dealt) {
        match TcpStream::from_std(dealt.stream) {
            Ok(stream) => {
                let seat = self.crew.admit(dealt.remote, dealt.held);
                tokio::task::spawn_local(Rc::clone(self).attend(stream, seat));
            }
            Err(error) => tracing::warn!(%error, "a connection could not be taken over, and is closed"),
        }
    }

    /// Serves one connection to its end.
    async fn attend(self: Rc<Self>, stream: TcpStream, seat: Seat) {
        let connection = &seat.connection;
        let Some((is_http2, ahead)) = preface::read(&stream, connection).await else { return };
        connection.multiplexed.set(is_http2);
        let socket = Socket::new(stream, Rc::clone(&self.outbox), Rc::clone(connection), ahead);
        let service = service_fn(|request| self.handler.answer(request, connection));
        // The same for both protocols, which share no trait.
        macro_rules! drive {
            ($http:expr) => {{
                let mut http = pin!($http);
                let mut told = false;
                poll_fn(|cx| {
                    connection.attend(cx);
                    let fate = connection.fate();
                    if fate == Fate::Drain && !told {
                        told = true;
                        http.as_mut().graceful_shutdown();
                    }
                    let polled = http.as_mut().poll(cx);
                    // One that is overdue had its last word in that poll.
                    if fate == Fate::Overdue { Poll::Ready(Ok(())) } else { polled }
                })
                .await
            }};
        }
        let ended = if is_http2 {
            let service = service_fn(|request| self.handler.answer(request, connection));
            drive!(self.http2.serve_connection(socket, service))
        } else {
            drive!(self.http1.serve_connection(socket, service))
        };
        if let Err(error) = ended {
            tracing::debug!(%error, remote = connection.remote, "a connection ended with an error");
        }
    }
}
