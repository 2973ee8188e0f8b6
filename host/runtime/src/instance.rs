//! One instance of a plugin: a store, the guest in it, and its `handle`.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use wasmtime::{
    PoolConcurrencyLimitError, Store,
    component::{ComponentExportIndex, InstancePre, StreamReader},
};

use crate::{
    epochs,
    error::HandleError,
    feed::Feed,
    generation::Generation,
    handler::{self, Handle},
    limits::{Isolation, MAX_HANDLES, MAX_HOSTCALL_BYTES},
    message::{Request, RequestBody},
    relay::Relay,
    state::State,
    stock, trap,
};

/// What instances of one generation are made from: imports resolved and types checked, once.
pub(crate) struct Template {
    pub pre: InstancePre<State>,
    pub handle: ComponentExportIndex,
}

pub(crate) struct Instance {
    pub store: Store<State>,
    handle: Handle,
    /// Through which its calls are polled.
    pub relay: Arc<Relay>,
    /// Holds a turn of its generation's `admission`.
    admitted: bool,
    served: u64,
    /// Coarse microseconds; see `clock`.
    pub idle_since: u64,
}

impl Instance {
    /// Makes one. It is the guest's own code that runs meanwhile (constructors, `start`): bound it by a deadline.
    ///
    /// # Errors
    /// `Overloaded` when the pool is exhausted and this thread has nothing idle; else what the guest did.
    pub async fn create(generation: &Arc<Generation>) -> Result<Instance, HandleError> {
        loop {
            let mut store = new_store(generation);
            match generation.template.pre.instantiate_async(&mut store).await {
                Ok(instance) => {
                    let Some(function) = instance.get_func(&mut store, generation.template.handle) else {
                        return Err(HandleError::Unavailable("the component lost its export `handle`".into()));
                    };
                    // SAFETY: `Plugin::load` looked this export of this component up with its types, which checks them;
                    // all instances of one component have the same types.
                    let handle = unsafe { Handle::new_unchecked(function) };
                    generation.counters.created.fetch_add(1, Relaxed);
                    return Ok(Instance {
                        store,
                        handle,
                        relay: Arc::new(Relay::new()),
                        admitted: false,
                        served: 0,
                        idle_since: 0,
                    });
                }
                Err(error) if error.is::<PoolConcurrencyLimitError>() => {
                    drop(store);
                    if !stock::evict() {
                        tracing::warn!(plugin = generation.name, %error, "the pool of instances is exhausted");
                        return Err(HandleError::Overloaded { retry_after: std::time::Duration::from_secs(1) });
                    }
                }
                Err(error) => return Err(trap::explain(error, store.data_mut())),
            }
        }
    }

    pub fn generation(&self) -> &Arc<Generation> {
        &self.store.data().generation
    }

    /// Takes over a turn; it ends with [`Instance::rest`], or with the instance.
    pub fn admit(&mut self) {
        self.admitted = true;
    }

    /// Makes the store ready for one request.
    ///
    /// # Errors
    /// When the guest has used up what a store may hold.
    pub fn begin(&mut self, request: Request, deadline: std::time::Instant) -> Result<handler::Request, HandleError> {
        self.served += 1;
        self.store.data_mut().begin(request.route, deadline);
        epochs::restart(&mut self.store);
        let body = match request.body {
            RequestBody::Empty => handler::Body::Empty,
            RequestBody::Bytes(bytes) => handler::Body::Bytes(bytes),
            RequestBody::Stream(stream) => {
                let limit = self.generation().limits.body;
                let reader = StreamReader::new(&mut self.store, Feed::new(stream, limit))
                    .map_err(|error| trap::explain(error, self.store.data_mut()))?;
                handler::Body::Chunks(reader)
            }
        };
        Ok(handler::Request { route: request.route, head: request.head.into_bytes(), body })
    }

    /// Runs the handler to its response. True beside it: the guest has more to do after it.
    pub async fn call(&mut self, request: handler::Request) -> wasmtime::Result<(handler::Response, bool)> {
        let handle = self.handle;
        self.store
            .run_concurrent(async move |accessor| {
                let (response,) = handle.call_concurrent(accessor, (request,)).await?;
                let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
                Ok((response, accessor.poll_no_interesting_tasks(&mut cx).is_pending()))
            })
            .await?
    }

    /// The request is over: back to stock, or gone.
    pub fn rest(mut self) {
        self.store.data_mut().flush_log();
        self.idle_since = self.generation().engine.clock.micros();
        if self.admitted {
            self.admitted = false;
            self.generation().admission.leave();
        }
        stock::put(self);
    }

    /// Whether it may serve another request.
    pub fn reusable(&self) -> bool {
        let generation = self.generation();
        generation.limits.isolation == Isolation::Reuse
            && self.served < generation.limits.max_requests
            && !generation.retired.load(Relaxed)
    }

    /// Whether it should not lie around any longer.
    pub fn expired(&self) -> bool {
        let generation = self.generation();
        let idle = generation.engine.clock.micros().saturating_sub(self.idle_since);
        generation.retired.load(Relaxed) || u128::from(idle) > generation.limits.idle_timeout.as_micros()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let generation = self.generation();
        generation.counters.dropped.fetch_add(1, Relaxed);
        if self.admitted {
            generation.admission.leave();
        }
    }
}

/// A store with every limit in place.
pub(crate) fn new_store(generation: &Arc<Generation>) -> Store<State> {
    let mut store = Store::new(&generation.engine.wasmtime, State::new(Arc::clone(generation)));
    store.limiter(|state| &mut state.memory);
    store.set_hostcall_fuel(MAX_HOSTCALL_BYTES);
    store.set_max_component_handles(MAX_HANDLES);
    epochs::install(&mut store);
    store
}
