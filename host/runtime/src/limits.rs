//! What one plugin may use. Every limit is on by default; the operator's `covet.toml` moves it.

use std::time::Duration;

/// The largest component accepted, in bytes. Compiling costs about 25 times its size in memory for a moment.
pub const MAX_COMPONENT: u64 = 64 << 20;
/// How long compiling one component may take.
pub const COMPILE_DEADLINE: Duration = Duration::from_secs(120);
/// How long `describe` may take, wall clock.
pub const DESCRIBE_DEADLINE: Duration = Duration::from_secs(1);
/// Routes a plugin may have.
pub const MAX_ROUTES: usize = 4_096;
/// Bytes of one route's path.
pub const MAX_ROUTE_PATH: usize = 1_024;
/// Bytes of a handler's name, a plugin's name or version.
pub const MAX_NAME: usize = 256;
/// Bytes that one host call may copy out of a guest, lists and strings together (wasmtime: "hostcall fuel").
pub const MAX_HOSTCALL_BYTES: usize = 64 << 20;
/// Resources, streams and waitables that one instance may hold open at once.
pub const MAX_HANDLES: usize = 4_096;
/// Transactions and cache leases that one instance may hold open at once.
pub const MAX_RESOURCES: usize = 256;

/// Whether an instance may serve again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Isolation {
    /// An instance serves one request after the other, up to `max_requests`. The fast way.
    #[default]
    Reuse,
    /// Every request gets a fresh instance: no byte of one request is seen by another.
    Request,
}

/// Limits of one plugin. All of them hold for every instance or request on its own, but for `concurrency`, `queue` and
/// `log_bytes_per_second`, which the whole plugin shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes an instance may have, all its memories and tables together. Default 64 MiB.
    pub memory: u64,
    /// Wall clock from the start of a request to the head of its response; also the longest silence of a streaming
    /// handler's database call. Default 30 s.
    pub deadline: Duration,
    /// Processor time of one request, measured in steps of 10 ms; a stream starts anew with each chunk. Default 5 s.
    pub cpu: Duration,
    /// Requests that run at once, over all worker threads. Default 256.
    pub concurrency: usize,
    /// Requests that may wait for one of those to end. Default 1,024.
    pub queue: usize,
    /// Bytes of a request's content. Default 8 MiB.
    pub body: u64,
    /// Bytes of a response's content when it is handed over whole; streams hold no memory and have no cap. Default 32 MiB.
    pub response_body: u64,
    /// Longest time that a streaming body may be silent, in either direction. Default 60 s.
    pub stream_idle: Duration,
    /// Requests that one instance serves before it is replaced. Default 10,000.
    pub max_requests: u64,
    /// How long an instance may lie idle before it is dropped. Default 60 s.
    pub idle_timeout: Duration,
    /// Default: reuse.
    pub isolation: Isolation,
    /// Bytes of log lines kept a second; more is counted and said once a second. Default 1 MiB.
    pub log_bytes_per_second: u64,
    /// Queries that one request may run. Default 1,000.
    pub queries_per_request: u32,
    /// Longest life of a transaction, never past the request's own deadline. Default 5 s.
    pub transaction: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            memory: 64 << 20,
            deadline: Duration::from_secs(30),
            cpu: Duration::from_secs(5),
            concurrency: 256,
            queue: 1_024,
            body: 8 << 20,
            response_body: 32 << 20,
            stream_idle: Duration::from_secs(60),
            max_requests: 10_000,
            idle_timeout: Duration::from_secs(60),
            isolation: Isolation::Reuse,
            log_bytes_per_second: 1 << 20,
            queries_per_request: 1_000,
            transaction: Duration::from_secs(5),
        }
    }
}
