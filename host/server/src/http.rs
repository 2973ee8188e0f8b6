//! The HTTP side: listeners, connections, limits, timeouts. Knows no plugin.
//!
//! Each worker is one thread with its own event loop and its own listener on the shared address (`SO_REUSEPORT`).
//! Connections are dealt out evenly ([`deal`]), and nothing that a request touches is shared between threads.
//!
//! Who answers requests implements [`Handler`]; there are two: [`crate::front`] for plugins and [`crate::admin`].
//!
//! # Timeouts
//!
//! A connection carries a few plain fields ([`connection::Connection`]), and a tick of the worker looks through them. A
//! request sets no timer: a timer set and dropped for each costs more than routing does.

pub(crate) mod answers;
pub(crate) mod body;
pub(crate) mod connection;
pub(crate) mod content;
pub(crate) mod deal;
pub(crate) mod listen;
mod outbox;
mod preface;
mod socket;
pub(crate) mod worker;

use std::{convert::Infallible, rc::Rc, time::Duration};

use hyper::{Request, Response, body::Incoming};

use self::{body::Body, connection::Connection};
use crate::config::ServerConfig;

/// Who answers the requests of a worker.
pub(crate) trait Handler: 'static {
    /// Answers one request. The future goes to hyper as it is, which moves it as a whole: keep it small, wrap it in nothing.
    fn answer(
        self: &Rc<Self>,
        request: Request<Incoming>,
        connection: &Rc<Connection>,
    ) -> impl Future<Output = Result<Response<Body>, Infallible>> + 'static;

    /// Called on the worker's thread every tick, one second at most apart.
    fn tick(&self) {}
}

/// What a listener allows.
#[derive(Clone, Debug)]
pub(crate) struct HttpLimits {
    pub head: usize,
    pub headers: usize,
    pub header_timeout: Duration,
    pub body_timeout: Duration,
    pub idle_timeout: Duration,
    /// Of one worker.
    pub connections: usize,
    pub streams: u32,
}

impl HttpLimits {
    pub fn new(server: &ServerConfig, workers: usize) -> HttpLimits {
        HttpLimits {
            head: server.head_limit,
            headers: server.max_headers,
            header_timeout: server.header_timeout,
            body_timeout: server.body_timeout,
            idle_timeout: server.idle_timeout,
            connections: server.max_connections.div_ceil(workers.max(1)),
            streams: server.max_streams,
        }
    }

    /// How often a worker looks after its connections: timeouts are exact to this much.
    pub fn tick(&self) -> Duration {
        let shortest = self.header_timeout.min(self.body_timeout).min(self.idle_timeout);
        (shortest / 4).clamp(Duration::from_millis(25), Duration::from_secs(1))
    }
}
