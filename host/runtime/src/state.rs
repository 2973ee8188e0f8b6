//! What a store holds beside the guest itself.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

use wasmtime::component::{HasData, ResourceTable};

use crate::{
    desk::Desk,
    generation::Generation,
    limits::{Isolation, MAX_RESOURCES},
    log::PANIC,
    memory::Meter,
    pump::Flow,
    services::Level,
    wasi::Wasi,
};

/// The data of one store, thus of one instance.
pub(crate) struct State {
    pub generation: Arc<Generation>,
    /// Where its requests come from.
    pub desk: Arc<Desk>,
    /// Requests taken so far.
    pub served: u64,
    /// The response that flows, if one does.
    pub flow: Option<Arc<Flow>>,
    /// Transactions, leases, and what WASI hands out.
    pub table: ResourceTable,
    /// Made when the guest first touches WASI: most requests never do.
    pub wasi: Option<Box<Wasi>>,
    pub memory: Meter,
    /// `describe` runs: every import answers `denied`.
    pub withheld: bool,
    /// The route being served, for logs.
    pub route: u32,
    /// When the current request, or the current chunk of a stream, must be done.
    pub deadline: Instant,
    /// Processor time left, in ticks; see `epochs`.
    pub ticks_left: u32,
    pub queries_left: u32,
    /// The message of a panic that the SDK has announced; the trap that follows says it in its own entry.
    pub panic: Option<String>,
}

impl State {
    pub fn new(generation: Arc<Generation>) -> State {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_RESOURCES);
        let memory = Meter::new(Arc::clone(&generation.engine.budget), generation.limits.memory);
        let deadline = generation.engine.clock.deadline(generation.limits.deadline);
        let ticks_left = generation.cpu_ticks;
        State {
            desk: Arc::default(),
            served: 0,
            flow: None,
            table,
            wasi: None,
            memory,
            withheld: false,
            route: 0,
            deadline,
            ticks_left,
            queries_left: generation.limits.queries_per_request,
            panic: None,
            generation,
        }
    }

    /// A new request begins.
    pub fn begin(&mut self, route: u32, deadline: Instant) {
        self.served += 1;
        self.route = route;
        self.deadline = deadline;
        self.ticks_left = self.generation.cpu_ticks;
        self.queries_left = self.generation.limits.queries_per_request;
        self.memory.denied = false;
    }

    /// Whether this instance may serve another request.
    pub fn reusable(&self) -> bool {
        let generation = &self.generation;
        generation.limits.isolation == Isolation::Reuse
            && self.served < generation.limits.max_requests
            && !generation.retired.load(Relaxed)
    }

    /// The request is over and nothing trapped: logs what was held back for a trap.
    pub fn flush_log(&mut self) {
        if let Some(wasi) = &self.wasi {
            wasi.flush();
        }
        if let Some(panic) = self.panic.take() {
            self.generation.log.guest(Level::Error, PANIC, &panic);
        }
    }

    /// A chunk of a stream has moved: the next one has its own time.
    pub fn chunk_moved(&mut self) {
        self.deadline = self.generation.engine.clock.deadline(self.generation.limits.deadline);
        self.ticks_left = self.generation.cpu_ticks;
    }
}

/// How the imports get at the state.
pub(crate) struct Imports;

impl HasData for Imports {
    type Data<'a> = &'a mut State;
}
