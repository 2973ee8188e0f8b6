//! `limits` tables: the operator's word, the plugin's wish, the defaults.

use std::time::Duration;

use covet_runtime::{Isolation, Limits};

use super::reader::Section;

/// Bytes of a request's content, unless a limit says otherwise: 2 MiB. Far above forms and JSON, far below what would
/// hurt when every concurrent request brings as much.
pub const DEFAULT_BODY: u64 = 2 << 20;
/// The largest `memory` of any plugin: 1 GiB. The engine prepares its pool for this much.
pub const MAX_MEMORY: u64 = 1 << 30;

/// The limits that hold where neither file names one.
pub fn defaults() -> Limits {
    Limits { body: DEFAULT_BODY, ..Limits::default() }
}

/// Limits as one table gives them: only those that it names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitsTable {
    pub memory: Option<u64>,
    pub deadline: Option<Duration>,
    pub cpu: Option<Duration>,
    pub concurrency: Option<usize>,
    pub queue: Option<usize>,
    pub body: Option<u64>,
    pub response_body: Option<u64>,
    pub stream_idle: Option<Duration>,
    pub max_requests: Option<u64>,
    pub idle_timeout: Option<Duration>,
    pub isolation: Option<Isolation>,
    pub log_bytes_per_second: Option<u64>,
    pub queries_per_request: Option<u32>,
    pub transaction: Option<Duration>,
}

const MS: Duration = Duration::from_millis(1);
const DAY: Duration = Duration::from_secs(86_400);

impl LimitsTable {
    pub(super) fn read(mut table: Section<'_, '_>) -> LimitsTable {
        let count = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        let limits = LimitsTable {
            memory: table.size("memory", 64 << 10, MAX_MEMORY),
            deadline: table.duration("deadline", MS, DAY),
            cpu: table.duration("cpu", MS, DAY),
            concurrency: table.number("concurrency", 1, 100_000).map(count),
            queue: table.number("queue", 0, 1_000_000).map(count),
            body: table.size("body", 0, 4 << 30),
            response_body: table.size("response_body", 0, 4 << 30),
            stream_idle: table.duration("stream_idle", MS, DAY),
            max_requests: table.number("max_requests", 1, u64::MAX),
            idle_timeout: table.duration("idle_timeout", MS, 30 * DAY),
            isolation: table.choice("isolation", &[("reuse", Isolation::Reuse), ("request", Isolation::Request)]),
            log_bytes_per_second: table.size("log_bytes_per_second", 0, 1 << 30),
            queries_per_request: table
                .number("queries_per_request", 0, u64::from(u32::MAX))
                .map(|value| u32::try_from(value).unwrap_or(u32::MAX)),
            transaction: table.duration("transaction", MS, DAY),
        };
        table.close();
        limits
    }

    /// The operator's word: what this table names replaces what `base` has.
    pub fn over(&self, base: &Limits) -> Limits {
        let mut limits = base.clone();
        macro_rules! take { ($($field:ident),*) => { $(if let Some(value) = self.$field { limits.$field = value; })* } }
        take!(memory, deadline, cpu, concurrency, queue, body, response_body, stream_idle, max_requests, idle_timeout);
        take!(isolation, log_bytes_per_second, queries_per_request, transaction);
        limits
    }

    /// The plugin's wish: it may ask for less than `base`, never for more. Who wrote the plugin does not own the machine.
    pub fn wished(&self, base: &Limits) -> Limits {
        let mut limits = base.clone();
        macro_rules! least {
            ($($field:ident),*) => { $(if let Some(value) = self.$field { limits.$field = value.min(base.$field); })* }
        }
        least!(memory, deadline, cpu, concurrency, queue, body, response_body, stream_idle, max_requests, idle_timeout);
        least!(log_bytes_per_second, queries_per_request, transaction);
        if self.isolation == Some(Isolation::Request) {
            limits.isolation = Isolation::Request;
        }
        limits
    }
}
