//! The engine: one a process. It owns the pool that guests are made in, the compiler, the linker and the heartbeat.

use std::{
    fmt,
    num::NonZeroUsize,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use tokio::sync::Semaphore;
use wasmtime::{
    Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, WasmBacktraceDetails,
    component::Linker,
};

use crate::{clock::Clock, error::RuntimeError, imports, memory::Budget, state::State};

/// What the engine may use.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Bytes that all guests' memories and tables may have together. Default 4 GiB.
    pub memory_budget: u64,
    /// Where compiled code is kept; made with mode 0700. None: compiled anew at every start.
    pub cache_dir: Option<PathBuf>,
    /// The largest `limits.memory` of any plugin. Default 1 GiB.
    pub max_memory: u64,
    /// Worker threads that will run guests: the pool has 16 instances or more for each. Default: the number of cores.
    pub workers: usize,
}

impl Default for EngineOptions {
    fn default() -> Self {
        EngineOptions {
            memory_budget: 4 << 30,
            cache_dir: None,
            max_memory: 1 << 30,
            workers: std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
        }
    }
}

/// The engine. Cloning is one atomic increment.
#[derive(Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub wasmtime: wasmtime::Engine,
    pub linker: Linker<State>,
    pub clock: Clock,
    pub budget: Arc<Budget>,
    pub cache_dir: Option<PathBuf>,
    /// One compilation at a time: it uses every core by itself.
    pub compiling: Arc<Semaphore>,
    pub instances: u32,
    next_key: AtomicU64,
}

/// Bytes that the pool counts on for one instance, when it derives its totals from the budget: a small guest's heap.
const TYPICAL_INSTANCE: u64 = 1 << 20;
/// Fewest and most instances of the pool. A slot reserves 4 GiB of addresses (not memory), of which there are 128 TiB, and
/// makes up to 8 mappings, of which Linux allows a process 65,530.
const INSTANCES: (u64, u64) = (64, 4_096);
/// Core modules, tables and memories that one component may have. Rust's has 3 or 4 modules, 2 tables, 1 memory; other
/// languages' bring some more.
const CORE_INSTANCES: u32 = 16;
pub(crate) const TABLES: u32 = 8;
pub(crate) const MEMORIES: u32 = 4;
/// Bytes of stack for guest code in wasmtime's view, and of the fiber that it runs on; the difference is the host's.
const WASM_STACK: usize = 512 << 10;
const FIBER_STACK: usize = 2 << 20;
/// Frames of a guest's backtrace.
const BACKTRACE_FRAMES: NonZeroUsize = NonZeroUsize::new(64).unwrap();

impl Engine {
    /// Reserves the pool and starts the heartbeat. When the machine refuses the addresses for as many instances as the budget
    /// allows, the pool is made smaller, with a warning.
    ///
    /// # Errors
    /// [`RuntimeError`] when not even the smallest pool can be made, or the directory for compiled code cannot be used.
    pub fn new(options: EngineOptions) -> Result<Engine, RuntimeError> {
        if let Some(dir) = &options.cache_dir {
            crate::compile::prepare_dir(dir)?;
        }
        let fewest = (options.workers as u64 * 16).clamp(INSTANCES.0, INSTANCES.1);
        let wanted = (options.memory_budget / TYPICAL_INSTANCE).clamp(fewest, INSTANCES.1) as u32;
        let (wasmtime, instances) = reserve(&options, wanted)?;
        let linker = imports::linker(&wasmtime).map_err(|error| RuntimeError::Engine(format!("{error:#}")))?;
        let clock = Clock::start(&wasmtime)?;
        Ok(Engine {
            shared: Arc::new(Shared {
                wasmtime,
                linker,
                clock,
                budget: Budget::new(options.memory_budget),
                cache_dir: options.cache_dir,
                compiling: Arc::new(Semaphore::new(1)),
                instances,
                next_key: AtomicU64::new(1),
            }),
        })
    }

    /// Prepares the calling thread for running guests (signal stack, thread-locals), so that its first request does not pay.
    pub fn prepare_thread(&self) {
        wasmtime::Engine::tls_eager_initialize();
    }

    /// Bytes of memories and tables that guests have now.
    pub fn memory_used(&self) -> u64 {
        self.shared.budget.used()
    }

    /// Most instances that can be alive at once.
    pub fn max_instances(&self) -> u32 {
        self.shared.instances
    }
}

/// Makes wasmtime's engine with as large a pool as the machine grants addresses for.
fn reserve(options: &EngineOptions, wanted: u32) -> Result<(wasmtime::Engine, u32), RuntimeError> {
    let mut refused = None;
    for reservation in [Reservation::Full, Reservation::Tight] {
        let mut instances = wanted;
        while u64::from(instances) >= INSTANCES.0 {
            match wasmtime::Engine::new(&config(options, instances, reservation)) {
                Ok(engine) => {
                    if let Some(refused) = refused {
                        tracing::warn!(
                            "at most {instances} plugin instances at once, {wanted} were planned, {reservation:?} reservation: the address space is limited (`ulimit -v`, vm.overcommit_memory): {refused}"
                        );
                    }
                    return Ok((engine, instances));
                }
                Err(error) => refused = Some(format!("{error:#}")),
            }
            instances /= 2;
        }
    }
    Err(RuntimeError::Engine(refused.unwrap_or_default()))
}

/// How many addresses each memory gets.
#[derive(Clone, Copy, Debug)]
enum Reservation {
    /// 4 GiB: compiled code needs no bounds checks.
    Full,
    /// No more than a memory may grow to: for machines that limit addresses. Guests compute some 10 to 50 % slower.
    Tight,
}

impl Shared {
    pub fn next_key(&self) -> u64 {
        self.next_key.fetch_add(1, Relaxed)
    }
}

fn config(options: &EngineOptions, instances: u32, reservation: Reservation) -> Config {
    let mut config = Config::new();
    config
        .cranelift_opt_level(OptLevel::Speed)
        // Guests compute on our threads: at each tick they yield (see `epochs`).
        .epoch_interruption(true)
        .wasm_component_model(true)
        .wasm_component_model_async(true)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(FIBER_STACK)
        // Compiled code never reads a stack slot before it wrote it; zeroing would cost a system call an instance.
        .async_stack_zeroing(false)
        // Guest backtraces with file and line, whatever the environment says.
        .wasm_backtrace_max_frames(Some(BACKTRACE_FRAMES))
        .wasm_backtrace_details(WasmBacktraceDetails::Enable)
        // Only the host's own debuggers would use it, and registering it is slow.
        .native_unwind_info(false)
        // Mapping a fresh memory from the module's image or writing it measured the same for small guests
        // (docs/decisions/003-calling-guests.md); mapped, the images of large ones are shared.
        .memory_init_cow(true)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(options, instances)));
    if let Reservation::Tight = reservation {
        config.memory_reservation(options.max_memory.next_multiple_of(64 << 10)).memory_guard_size(64 << 10);
    }
    config
}

fn pool(options: &EngineOptions, instances: u32) -> PoolingAllocationConfig {
    let swapless = no_swap();
    let mut pool = PoolingAllocationConfig::new();
    // Totals. A component takes one memory, but up to four core instances (its module, and the adapters between it and its
    // imports) and two tables. Each live instance keeps one fiber; a few more while some are being made.
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(4))
        .total_memories(instances)
        .total_tables(instances.saturating_mul(3))
        .total_stacks(instances.saturating_add(instances / 4))
        // What one component may ask for: far above what compilers emit, far below what would hurt.
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_tables_per_component(TABLES)
        .max_memories_per_component(MEMORIES)
        .max_component_instance_size(1 << 20)
        .max_core_instance_size(1 << 20)
        .table_elements(20_000)
        // The store's own limit is lower (see `memory`); this bounds what the pool prepares.
        .max_memory_size(usize::try_from(options.max_memory.min(4 << 30)).unwrap_or(usize::MAX))
        // Slots that remember a module start it faster. Each keeps that module mapped (about 1 MB of file) and up to
        // `keep_resident` bytes of memory, also when its plugin is long gone: few, so that memory is flat after many swaps.
        .max_unused_warm_slots(instances.min(32))
        // Dropped memories are given back to the kernel in batches: one system call for many.
        .decommit_batch_size(32)
        // What a fresh instance touches stays mapped and is reset by writing: cheaper than page faults. With the pagemap
        // scan only what was touched is reset, else all of it, hence the difference.
        .linear_memory_keep_resident(if swapless { 4 << 20 } else { 256 << 10 })
        .table_keep_resident(64 << 10)
        // The scan of wasmtime 48 overlooks pages that are swapped out (fixed in 50): the next tenant would see them. Only
        // where there is no swap; `Auto` also asks the kernel (6.7 or later).
        .pagemap_scan(if swapless { Enabled::Auto } else { Enabled::No });
    pool
}

/// True when the system has no swap at all.
fn no_swap() -> bool {
    std::fs::read_to_string("/proc/swaps").is_ok_and(|swaps| swaps.lines().skip(1).all(|line| line.trim().is_empty()))
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("instances", &self.shared.instances)
            .field("memory_used", &self.memory_used())
            .finish_non_exhaustive()
    }
}
