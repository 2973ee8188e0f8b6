//! One instance of a plugin: a store, the guest in it, and its `serve`, which runs as long as the instance lives.
//!
//! Between requests the guest stands in `next`. To serve one, lay it on the desk and poll: no task is spawned and no thread
//! is crossed; the future that the server polls is the one that runs the guest.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use wasmtime::{
    PoolConcurrencyLimitError, Store,
    component::{Accessor, ComponentExportIndex, InstancePre},
};

use crate::{
    desk::{Answer, Desk, Order},
    epochs,
    error::HandleError,
    generation::Generation,
    handler::Serve,
    limits::{MAX_HANDLES, MAX_HOSTCALL_BYTES},
    message::Request,
    relay::Relay,
    state::State,
    stock, trap,
};

/// What instances of one generation are made from: imports resolved and types checked, once.
pub(crate) struct Template {
    pub pre: InstancePre<State>,
    pub serve: ComponentExportIndex,
}

pub(crate) struct Instance {
    /// Dropped when it has ended: a guest serves no more.
    run: Option<Pin<Box<dyn Future<Output = Ended> + Send>>>,
    desk: Arc<Desk>,
    generation: Arc<Generation>,
    relay: Relay,
    /// Holds a turn of its generation's `admission`.
    admitted: bool,
    /// The route being served, for logs.
    route: u32,
    /// Coarse microseconds; see `clock`.
    pub idle_since: u64,
}

/// How `serve` ended, and the store, which knows more of it.
struct Ended {
    outcome: wasmtime::Result<()>,
    store: Store<State>,
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
                    let Some(function) = instance.get_func(&mut store, generation.template.serve) else {
                        return Err(HandleError::Unavailable("the component lost its export `serve`".into()));
                    };
                    // SAFETY: `Plugin::load` looked this export of this component up with its types, which checks them;
                    // all instances of one component have the same types.
                    let serve = unsafe { Serve::new_unchecked(function) };
                    generation.counters.created.fetch_add(1, Relaxed);
                    return Ok(Instance {
                        desk: Arc::clone(&store.data().desk),
                        run: Some(Box::pin(run(store, serve))),
                        generation: Arc::clone(generation),
                        relay: Relay::new(),
                        admitted: false,
                        route: 0,
                        idle_since: 0,
                    });
                }
                Err(error) if error.is::<PoolConcurrencyLimitError>() => {
                    drop(store);
                    if !stock::evict() {
                        tracing::warn!(plugin = generation.name, %error, "the pool of instances is exhausted");
                        return Err(HandleError::Overloaded { retry_after: Duration::from_secs(1) });
                    }
                }
                Err(error) => return Err(trap::explain(error, store.data_mut())),
            }
        }
    }

    pub fn generation(&self) -> &Arc<Generation> {
        &self.generation
    }

    /// The route of the request taken last.
    pub fn route(&self) -> u32 {
        self.route
    }

    /// Takes over a turn; it ends with [`Instance::rest`], or with the instance.
    pub fn admit(&mut self) {
        self.admitted = true;
    }

    /// Gives it a request; [`Instance::poll_answer`] has it served.
    pub fn begin(&mut self, request: Request, deadline: Instant) {
        self.route = request.route;
        self.desk.lay(Order { request, deadline });
    }

    /// Runs the guest up to its answer, and beyond as far as it goes without waiting.
    pub fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<Answer, HandleError>> {
        let ended = ready!(self.poll_until(cx, Desk::has_answer));
        match (self.desk.take_answer(), ended.map_or(Ok(()), |ended| self.end(ended))) {
            (Some(answer), Ok(())) => Poll::Ready(Ok(answer)),
            (Some(answer), Err(error)) => {
                self.generation.failed(&error, self.route);
                Poll::Ready(Ok(answer))
            }
            (None, Err(error)) => Poll::Ready(Err(error)),
            (None, Ok(())) => {
                Poll::Ready(Err(HandleError::BadResponse("the guest left `serve` without answering".into())))
            }
        }
    }

    /// Runs the guest until it is done with all that goes on behind its answer.
    pub fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), HandleError>> {
        match ready!(self.poll_until(cx, Desk::is_idle)) {
            Some(ended) => Poll::Ready(self.end(ended)),
            None => Poll::Ready(Ok(())),
        }
    }

    /// Runs the guest until its end, or until the desk looks as wanted.
    fn poll_until(&mut self, cx: &mut Context<'_>, wanted: impl Fn(&Desk) -> bool) -> Poll<Option<Ended>> {
        let Some(run) = &mut self.run else {
            return Poll::Ready(None);
        };
        self.relay.poll(cx, |cx| match run.as_mut().poll(cx) {
            Poll::Ready(ended) => Poll::Ready(Some(ended)),
            Poll::Pending if wanted(&self.desk) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
    }

    fn end(&mut self, ended: Ended) -> Result<(), HandleError> {
        self.run = None;
        let Ended { outcome, mut store } = ended;
        let Err(error) = outcome else {
            store.data_mut().flush_log();
            return Ok(());
        };
        let error = trap::explain(error, store.data_mut());
        if let Some(flow) = &store.data().flow {
            flow.break_off(&error);
        }
        Err(error)
    }

    /// Nothing goes on behind the answer.
    pub fn is_done(&self) -> bool {
        self.run.is_none() || self.desk.is_idle()
    }

    /// The request is over: back to stock, or gone.
    pub fn rest(mut self) {
        self.idle_since = self.generation.engine.clock.micros();
        if self.admitted {
            self.admitted = false;
            self.generation.admission.leave();
        }
        stock::put(self);
    }

    /// Whether it may serve another request.
    pub fn reusable(&self) -> bool {
        self.run.is_some() && !self.generation.retired.load(Relaxed)
    }

    /// Whether it should not lie around any longer.
    pub fn expired(&self) -> bool {
        let idle = self.generation.engine.clock.micros().saturating_sub(self.idle_since);
        self.generation.retired.load(Relaxed) || u128::from(idle) > self.generation.limits.idle_timeout.as_micros()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.generation.counters.dropped.fetch_add(1, Relaxed);
        if self.admitted {
            self.generation.admission.leave();
        }
    }
}

/// All of an instance's life. What the guest has begun and left is finished after its `serve` returned.
async fn run(mut store: Store<State>, serve: Serve) -> Ended {
    let outcome = store
        .run_concurrent(async move |accessor: &Accessor<State>| {
            serve.call_concurrent(accessor, ()).await?;
            if let Some(flow) = accessor.with(|mut access| access.data_mut().flow.clone()) {
                flow.ended().await;
            }
            poll_fn(|cx| accessor.poll_no_interesting_tasks(cx)).await;
            Ok(())
        })
        .await
        .flatten();
    Ended { outcome, store }
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
