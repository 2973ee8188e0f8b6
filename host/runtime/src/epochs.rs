//! The only place that talks to wasmtime's epochs (the callback's type changes in wasmtime 50).
//!
//! At each tick (10 ms) a guest that computes is stopped for a moment: it yields, so that the other requests of its
//! thread go on, and one tick is taken off its processor time. When none is left it traps with [`CpuSpent`].
//!
//! What is counted is ticks that end while the guest computes. Waiting does not count: whoever resumes a guest after a wait
//! calls [`restart`], else the wait itself would look like a tick. (WASI's own waits, `thread::sleep`, cost a tick each.)

use wasmtime::{AsContextMut, Store, UpdateDeadline, component::Access};

use crate::state::{Imports, State};

/// The guest used up `limits.cpu`.
#[derive(Debug, thiserror::Error)]
#[error("processor time spent")]
pub(crate) struct CpuSpent;

/// Installs the rule in a new store.
pub(crate) fn install(store: &mut Store<State>) {
    store.epoch_deadline_callback(|mut store| {
        let state = store.data_mut();
        match state.ticks_left.checked_sub(1) {
            Some(left) => {
                state.ticks_left = left;
                Ok(UpdateDeadline::Yield(1))
            }
            None => Err(CpuSpent.into()),
        }
    });
    store.set_epoch_deadline(1);
}

/// The guest starts, or goes on after a wait: its current tick begins now.
pub(crate) fn restart(mut store: impl AsContextMut<Data = State>) {
    store.as_context_mut().set_epoch_deadline(1);
}

/// As [`restart`], from within an import that has waited.
pub(crate) fn restart_access<T: 'static>(access: &mut Access<'_, T, Imports>) {
    access.as_context_mut().set_epoch_deadline(1);
}
