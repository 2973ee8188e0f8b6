//! One generation of a plugin: immutable, but for its counters and its log.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use covet_orm::Plans;

use crate::{
    admission::Admission, clock::TICK, description::Description, engine::Shared, error::HandleError, grants::Grants,
    instance::Template, limits::Limits, log::Log, services::Services,
};

pub(crate) struct Generation {
    /// Under which each thread's stock keeps its instances; never used twice in a process.
    pub key: u64,
    pub name: String,
    pub engine: Arc<Shared>,
    pub template: Template,
    pub description: Description,
    pub plans: Plans,
    pub services: Services,
    pub grants: Arc<dyn Grants>,
    pub limits: Limits,
    /// `limits.cpu` in ticks, at least one.
    pub cpu_ticks: u32,
    pub log: Log,
    pub admission: Admission,
    pub retired: AtomicBool,
    /// An instance lies ready in `stock`'s shared place.
    pub spare: AtomicBool,
    pub counters: Counters,
}

impl Generation {
    /// The handler's name, for logs.
    pub fn handler(&self, route: u32) -> &str {
        self.description.routes.get(route as usize).map_or("?", |route| route.handler.as_str())
    }

    pub fn spare_gone(&self) -> bool {
        !self.spare.load(Relaxed)
    }

    pub fn set_spare(&self, there: bool) {
        self.spare.store(there, Relaxed);
    }

    /// Counts and logs a request that failed.
    pub fn failed(&self, error: &HandleError, route: u32) {
        let counter = match error {
            HandleError::Trap { .. } => &self.counters.traps,
            HandleError::Memory { .. } => &self.counters.out_of_memory,
            HandleError::Deadline { .. } | HandleError::Cpu { .. } => &self.counters.timeouts,
            HandleError::Overloaded { .. } => &self.counters.overloaded,
            _ => &self.counters.other_faults,
        };
        counter.fetch_add(1, Relaxed);
        // What the client did, and what is said by status and counters alone, must not fill the log under load.
        if !matches!(
            error,
            HandleError::Overloaded { .. } | HandleError::BodyTooLarge { .. } | HandleError::BodyBroken(_)
        ) {
            self.log.fault(error, self.handler(route));
        }
    }
}

pub(crate) fn cpu_ticks(limits: &Limits) -> u32 {
    u32::try_from(limits.cpu.as_micros().div_ceil(TICK.as_micros()).max(1)).unwrap_or(u32::MAX)
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub requests: AtomicU64,
    pub created: AtomicU64,
    pub dropped: AtomicU64,
    pub traps: AtomicU64,
    pub timeouts: AtomicU64,
    pub out_of_memory: AtomicU64,
    pub overloaded: AtomicU64,
    pub other_faults: AtomicU64,
}

/// What a generation has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct PluginStats {
    /// Requests taken up, whatever became of them.
    pub requests: u64,
    /// Requests running now.
    pub running: u64,
    /// Requests waiting for one of those to end.
    pub waiting: u64,
    /// Instances alive now, running or idle.
    pub instances: u64,
    /// Instances ever made.
    pub instances_created: u64,
    pub traps: u64,
    /// Wall-clock and processor time together.
    pub timeouts: u64,
    pub out_of_memory: u64,
    pub overloaded: u64,
    /// Bad responses, bodies too large or broken off, no instance to be had.
    pub other_faults: u64,
    /// Lines of log past the volume limit.
    pub log_lines_dropped: u64,
}
