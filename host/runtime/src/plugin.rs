//! A loaded plugin: one generation, from its bytes to its answers.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::Poll,
    time::{Duration, Instant},
};

use covet_orm::{Dialect, Plans};
use tokio::time::Sleep;

use crate::{
    admission::{Admission, Full},
    compile, describe,
    description::Description,
    desk::Content,
    engine::Engine,
    error::{HandleError, LoadError},
    generation::{Generation, PluginStats, cpu_ticks},
    grants::OwnModels,
    instance::Instance,
    limits::{DESCRIBE_DEADLINE, Limits},
    log::Log,
    message::{Headers, Request, RequestBody, Response, ResponseBody},
    pump,
    services::Services,
    stock,
};

/// One generation of a plugin. Cloning is one atomic increment. Dropping the last one lets its code go; call
/// [`Plugin::retire`] first, so that its idle instances go too.
#[derive(Clone)]
pub struct Plugin {
    generation: Arc<Generation>,
    compiled: CompileFacts,
}

/// How the code came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompileFacts {
    /// Taken from disk.
    pub cached: bool,
    pub took: Duration,
}

impl Plugin {
    /// Checks, compiles (or maps what was compiled before) and describes a plugin. Nothing else is touched: whatever goes
    /// wrong, the host is as it was. Compiling takes about 1 s per MB of wasm; from disk, 1 ms.
    ///
    /// # Errors
    /// [`LoadError`], with the way out.
    pub async fn load(
        engine: &Engine,
        name: &str,
        generation: u64,
        wasm: &[u8],
        services: Services,
        limits: Limits,
    ) -> Result<Plugin, LoadError> {
        let shared = Arc::clone(&engine.shared);
        let compiled = compile::compile(&shared, wasm).await?;
        let facts = CompileFacts { cached: compiled.cached, took: compiled.took };
        let template = describe::link(&shared, &compiled.component, &limits)?;
        let log = Log::new(name, generation, Arc::clone(&services.log), shared.clock.clone(), &limits);
        // Of a plugin without a database nothing is planned.
        let dialect = services.database.as_ref().map_or(Dialect::Sqlite, |database| database.dialect().into());
        // What describes has neither routes nor models yet.
        let nothing = describe::nothing(name)?;
        let draft = Generation {
            key: shared.next_key(),
            name: name.into(),
            template,
            plans: Plans::new(Arc::clone(&nothing.catalog), dialect),
            description: nothing,
            services,
            grants: Arc::new(OwnModels),
            cpu_ticks: cpu_ticks(&limits).min(cpu_ticks(&Limits { cpu: DESCRIBE_DEADLINE, ..Limits::default() })),
            log,
            admission: Admission::new(limits.concurrency, limits.queue),
            limits,
            retired: AtomicBool::new(false),
            spare: AtomicBool::new(false),
            counters: Default::default(),
            engine: shared,
        };
        let (description, draft) = describe::describe(draft, &compiled.component).await?;
        let generation = Generation {
            plans: Plans::new(Arc::clone(&description.catalog), dialect),
            description,
            cpu_ticks: cpu_ticks(&draft.limits),
            counters: Default::default(),
            ..draft
        };
        Ok(Plugin { generation: Arc::new(generation), compiled: facts })
    }

    pub fn name(&self) -> &str {
        &self.generation.name
    }

    pub fn description(&self) -> &Description {
        &self.generation.description
    }

    pub fn limits(&self) -> &Limits {
        &self.generation.limits
    }

    pub fn compiled(&self) -> CompileFacts {
        self.compiled
    }

    /// Makes one instance ahead of the first request. It is kept for whichever worker asks first, so this may be called from
    /// any thread of a tokio runtime.
    ///
    /// # Errors
    /// [`LoadError::Instantiate`].
    pub async fn warm(&self) -> Result<(), LoadError> {
        let deadline = self.generation.engine.clock.deadline(self.generation.limits.deadline);
        match bounded(deadline, Instance::create(&self.generation)).await {
            Some(Ok(instance)) => {
                stock::put_spare(instance);
                Ok(())
            }
            Some(Err(error)) => Err(LoadError::Instantiate(error.to_string())),
            None => Err(LoadError::Instantiate(
                HandleError::Deadline { limit: self.generation.limits.deadline }.to_string(),
            )),
        }
    }

    /// Answers one request, on the calling thread. Must run inside a tokio `LocalSet`: what goes on after the head of the
    /// response stays on this thread. Dropping the future drops the instance, and with it all that the handler has begun.
    ///
    /// About 0.6 µs around the handler's own work with a warm instance.
    ///
    /// # Errors
    /// [`HandleError`]; logged under the plugin's name already.
    pub async fn handle(&self, request: Request) -> Result<Response, HandleError> {
        let route = request.route;
        self.generation.counters.requests.fetch_add(1, Relaxed);
        match serve(&self.generation, request).await {
            Ok(response) => Ok(response),
            Err(error) => {
                self.generation.failed(&error, route);
                Err(error)
            }
        }
    }

    /// This generation serves no new requests: idle instances go now on this thread, and at their next [`crate::reap`] on
    /// others. Requests that run are answered, their instances dropped afterwards.
    pub fn retire(&self) {
        self.generation.retired.store(true, Relaxed);
        stock::forget(&self.generation);
    }

    pub fn stats(&self) -> PluginStats {
        let generation = &self.generation;
        let counters = &generation.counters;
        let created = counters.created.load(Relaxed);
        PluginStats {
            requests: counters.requests.load(Relaxed),
            running: generation.admission.running() as u64,
            waiting: generation.admission.waiting() as u64,
            instances: created.saturating_sub(counters.dropped.load(Relaxed)),
            instances_created: created,
            traps: counters.traps.load(Relaxed),
            timeouts: counters.timeouts.load(Relaxed),
            out_of_memory: counters.out_of_memory.load(Relaxed),
            overloaded: counters.overloaded.load(Relaxed),
            other_faults: counters.other_faults.load(Relaxed),
            log_lines_dropped: generation.log.dropped_total.load(Relaxed),
        }
    }
}

async fn serve(generation: &Arc<Generation>, request: Request) -> Result<Response, HandleError> {
    let limits = &generation.limits;
    if let RequestBody::Bytes(bytes) = &request.body
        && bytes.len() as u64 > limits.body
    {
        return Err(HandleError::BodyTooLarge { limit: limits.body });
    }
    let late = HandleError::Deadline { limit: limits.deadline };
    let deadline = generation.engine.clock.deadline(limits.deadline);
    let turn = enter(generation, deadline).await?;
    let mut instance = match stock::take(generation) {
        Some(instance) => instance,
        None => bounded(deadline, Instance::create(generation)).await.ok_or_else(|| late.clone())??,
    };
    turn.pass_to(&mut instance);
    instance.begin(request, deadline);
    let answer = bounded(deadline, poll_fn(|cx| instance.poll_answer(cx))).await.ok_or(late)??;
    if !(200..=599).contains(&answer.status) {
        return Err(HandleError::BadResponse(format!("status {}, it must lie in 200 to 599", answer.status)));
    }
    let headers = Headers::parse(answer.headers)?;
    let (body, client) = match answer.body {
        Content::Empty => (ResponseBody::Empty, None),
        Content::Bytes(bytes) if bytes.len() as u64 > limits.response_body => {
            return Err(HandleError::BadResponse(format!(
                "its body is {} bytes, the limit is limits.response_body = {}; stream it, or raise the limit",
                bytes.len(),
                limits.response_body
            )));
        }
        Content::Bytes(bytes) => (ResponseBody::Bytes(bytes), None),
        Content::Stream(stream, client) => (ResponseBody::Stream(stream), Some(client)),
    };
    if instance.is_done() {
        instance.rest();
    } else {
        pump::run_on(instance, client);
    }
    Ok(Response { status: answer.status, headers, body })
}

/// A turn of the plugin's, until an instance takes it over.
struct Turn<'a>(&'a Generation);

impl Turn<'_> {
    fn pass_to(self, instance: &mut Instance) {
        instance.admit();
        std::mem::forget(self);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.admission.leave();
    }
}

async fn enter(generation: &Generation, deadline: Instant) -> Result<Turn<'_>, HandleError> {
    if generation.admission.try_enter() {
        return Ok(Turn(generation));
    }
    match bounded(deadline, generation.admission.enter()).await {
        Some(Ok(())) => Ok(Turn(generation)),
        // A full queue is gone in about the time that its requests take; a second is a fair guess.
        Some(Err(Full)) | None => Err(HandleError::Overloaded { retry_after: Duration::from_secs(1) }),
    }
}

/// Runs a future until the deadline; none when it passed. The timer is set when the future first has to wait: what is
/// ready at once never pays for it.
async fn bounded<F: Future>(deadline: Instant, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut timer: Option<Pin<Box<Sleep>>> = None;
    poll_fn(move |cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        let timer = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline.into())));
        timer.as_mut().poll(cx).map(|()| None)
    })
    .await
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin")
            .field("name", &self.generation.name)
            .field("description", &self.generation.description)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
