//! A whole host: databases, cache, engine, plugins, listeners; its start and its end.

use std::{
    io,
    net::SocketAddr,
    os::unix::fs::DirBuilderExt,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use covet_cache::{Cache, CacheOptions};
use covet_db::DbError;
use covet_runtime::{Engine, EngineOptions, RuntimeError};
use tokio::sync::watch;

use crate::{
    admin::{Admin, Token},
    config::{Config, limits::MAX_MEMORY},
    databases,
    front::Front,
    generations::Generations,
    http::{
        Handler, HttpLimits,
        deal::Dealer,
        listen::{bind, raise_file_limit},
        worker::{self, Stage},
    },
    logs::Logs,
    state::Store,
};

/// Connections to the admin API at once.
const ADMIN_CONNECTIONS: usize = 256;
/// How long a deploy under way may take to end at shutdown; cut off, it changes nothing.
const ADMIN_GRACE: Duration = Duration::from_secs(5);

/// Why a host did not start. Nothing is left running.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{what} {address}: {error}; choose another address, or end what uses this one")]
    Listen { what: &'static str, address: SocketAddr, error: io::Error },
    #[error("state directory {path}: {error}; set server.state or --state to a directory that can be written")]
    State { path: String, error: io::Error },
    #[error("databases.{name}: {error}")]
    Database { name: String, error: DbError },
    #[error("{0}")]
    Engine(#[from] RuntimeError),
    #[error("a thread cannot be started: {0}")]
    Thread(io::Error),
}

/// A running host. [`Server::shutdown`] and [`Server::wait`] end it in peace; dropping it ends it at once.
pub struct Server {
    http: SocketAddr,
    admin: SocketAddr,
    stage: watch::Sender<Stage>,
    /// The admin listener's: it has nobody to wait for but a deploy.
    admin_stage: watch::Sender<Stage>,
    grace: Duration,
    threads: Mutex<Vec<JoinHandle<()>>>,
    generations: Arc<Generations>,
    /// The host's hold on its state: no second host may use it.
    lock: Mutex<Option<std::fs::File>>,
}

impl Server {
    /// Starts a host and returns once it listens, with every plugin of its desired state up.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(config: Config) -> Result<Server, StartError> {
        let state = |error: io::Error| StartError::State { path: config.state.display().to_string(), error };
        // For its owner only: who can write there can run code as the host.
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&config.state).map_err(state)?;
        let lock = lock(&config.state).map_err(state)?;
        let token = Token::open(config.admin.token.as_ref(), &config.state).map_err(state)?;
        let (store, desired) = Store::open(&config.state).map_err(state)?;
        raise_file_limit();
        let listen =
            |what, address, count| bind(address, count).map_err(|error| StartError::Listen { what, address, error });
        let (http, sockets) = listen("server.listen", config.server.listen, config.server.workers)?;
        let (admin, mut admin_sockets) = listen("admin.listen", config.admin.listen, 1)?;

        let databases = databases::open(&config.databases, &config.state)
            .map_err(|(name, error)| StartError::Database { name, error })?;
        let cache = Cache::new(CacheOptions {
            max_bytes: config.cache.max_bytes,
            max_entries: config.cache.max_entries,
            default_ttl: config.cache.timeout,
            max_value: config.cache.max_value,
        });
        let engine = Engine::new(EngineOptions {
            memory_budget: config.server.memory_budget,
            cache_dir: Some(config.state.join("compiled")),
            max_memory: MAX_MEMORY.min(config.server.memory_budget),
            workers: config.server.workers,
        })?;
        let logs = Arc::new(Logs::new(config.log));
        let server_config = Arc::new(config.server.clone());
        let admin_config = config.admin.clone();
        let generations = Arc::new(Generations::new(config, engine, databases, cache, logs, store, desired));

        // Plugins come up before anybody is answered; what fails of them is said and stops nothing.
        restore(&generations)?;

        let (stage, stages) = watch::channel(Stage::Running);
        let (admin_stage, admin_stages) = watch::channel(Stage::Running);
        let server = Server {
            http,
            admin,
            stage,
            admin_stage,
            grace: server_config.shutdown_grace,
            threads: Mutex::default(),
            generations: Arc::clone(&generations),
            lock: Mutex::new(Some(lock)),
        };
        let limits = HttpLimits::new(&server_config, sockets.len());
        let spawned = (|| {
            let dealers = Dealer::table(sockets.len());
            for (number, (socket, dealer)) in sockets.into_iter().zip(dealers).enumerate() {
                let (generations, config) = (Arc::clone(&generations), Arc::clone(&server_config));
                let handler = move || {
                    generations.engine().prepare_thread();
                    Rc::new(Front::new(&generations, config))
                };
                server.spawn(
                    format!("covet-worker-{number}"),
                    (socket, dealer),
                    handler,
                    limits.clone(),
                    stages.clone(),
                )?;
            }
            let limits = HttpLimits { connections: ADMIN_CONNECTIONS, ..limits };
            if let Some(seat) = admin_sockets.pop().zip(Dealer::table(1).pop()) {
                let handler = move || Rc::new(Admin { generations, token, max_upload: admin_config.max_upload });
                server.spawn("covet-admin".to_owned(), seat, handler, limits, admin_stages)?;
            }
            Ok(())
        })();
        if let Err(error) = spawned {
            // Dropped, the server ends what was begun.
            return Err(StartError::Thread(error));
        }
        Ok(server)
    }

    /// Where requests are answered.
    pub fn http_addr(&self) -> SocketAddr {
        self.http
    }

    /// Where the admin API is.
    pub fn admin_addr(&self) -> SocketAddr {
        self.admin
    }

    /// Stops accepting, lets requests in flight end (at most `server.shutdown_grace`), then ends. Called again, it ends at
    /// once. Returns at once; see [`Server::wait`].
    pub fn shutdown(&self) {
        let again = matches!(*self.stage.borrow(), Stage::Draining(_));
        self.end(if again { Duration::ZERO } else { self.grace });
    }

    fn end(&self, grace: Duration) {
        let now = Instant::now();
        // Who follows a log would stay for ever.
        self.generations.logs.close();
        self.stage.send_replace(Stage::Draining(now + grace));
        self.admin_stage.send_replace(Stage::Draining(now + grace.min(ADMIN_GRACE)));
    }

    /// Returns when the host has ended.
    pub fn wait(&self) {
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            let _ = thread.join();
        }
        let databases = self.generations.databases().clone();
        let closed = apart("covet-close", async move {
            for database in databases.into_values() {
                database.close().await;
            }
        });
        if let Err(error) = closed {
            tracing::error!("the databases were not closed in order: {error}");
        }
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn spawn<H: Handler>(
        &self,
        name: String,
        (socket, dealer): (std::net::TcpListener, Dealer),
        handler: impl FnOnce() -> Rc<H> + Send + 'static,
        limits: HttpLimits,
        stages: watch::Receiver<Stage>,
    ) -> io::Result<()> {
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            if let Err(error) = worker::run(socket, dealer, handler, limits, stages) {
                tracing::error!("a worker ended: {error}");
            }
        })?;
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }
}

/// Brings up what is to serve, on a thread of its own: the caller may be inside an event loop.
fn restore(generations: &Arc<Generations>) -> Result<(), StartError> {
    let generations = Arc::clone(generations);
    apart("covet-restore", async move { generations.restore().await }).map_err(StartError::Thread)
}

/// Runs a future to its end on a thread of its own: the caller may be inside a runtime, where blocking on one is forbidden.
fn apart(name: &str, future: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(future);
        Ok(())
    });
    thread.and_then(|thread| thread.join().unwrap_or_else(|_| Err(io::Error::other(format!("thread {name} failed")))))
}

/// Takes the state directory for this process; the kernel gives it back when the process ends, however it ends.
fn lock(state: &std::path::Path) -> io::Result<std::fs::File> {
    let file = std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(state.join("lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(io::Error::other("another host uses it")),
        Err(std::fs::TryLockError::Error(error)) => Err(error),
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
        self.wait();
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("http", &self.http).field("admin", &self.admin).finish_non_exhaustive()
    }
}
