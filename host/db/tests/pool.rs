//! The pool on a driver whose delays and deaths the test commands.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test is how it speaks")]

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use covet_db::pool::{Condition, Driver, Pool, Pooled};
use covet_db::{DbError, PoolOptions};
use parking_lot::Mutex;
use proptest::prelude::*;

/// A server that exists only in memory.
#[derive(Default)]
struct World {
    opened: AtomicU64,
    open: AtomicUsize,
    most_open: AtomicUsize,
    pings: AtomicUsize,
    resets: AtomicUsize,
    /// Nobody gets in.
    down: AtomicBool,
    /// No ping and no reset is answered.
    silent: AtomicBool,
    connect_delay: Mutex<Duration>,
    dead: Mutex<HashSet<u64>>,
}

struct Stub(Arc<World>);

struct Conn {
    id: u64,
    condition: Condition,
    world: Arc<World>,
}

impl Drop for Conn {
    fn drop(&mut self) {
        self.world.open.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Driver for Stub {
    type Connection = Conn;

    async fn connect(&self) -> Result<Conn, DbError> {
        let delay = *self.0.connect_delay.lock();
        tokio::time::sleep(delay).await;
        if self.0.down.load(Ordering::SeqCst) {
            return Err(DbError::Unavailable("down".into()));
        }
        let open = self.0.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most_open.fetch_max(open, Ordering::SeqCst);
        let id = self.0.opened.fetch_add(1, Ordering::SeqCst) + 1;
        Ok(Conn { id, condition: Condition::Clean, world: Arc::clone(&self.0) })
    }

    async fn ping(&self, connection: &mut Conn) -> Result<(), DbError> {
        self.0.pings.fetch_add(1, Ordering::SeqCst);
        if self.0.silent.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if self.0.dead.lock().contains(&connection.id) {
            connection.condition = Condition::Broken;
            return Err(DbError::Unavailable("dead".into()));
        }
        Ok(())
    }

    async fn close(&self, connection: Conn) {
        drop(connection);
    }

    fn condition(&self, connection: &Conn) -> Condition {
        connection.condition
    }

    async fn reset(&self, connection: &mut Conn) -> Result<(), DbError> {
        self.0.resets.fetch_add(1, Ordering::SeqCst);
        if self.0.silent.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        connection.condition = Condition::Clean;
        Ok(())
    }
}

fn pool(options: PoolOptions) -> (Pool<Stub>, Arc<World>) {
    let world = Arc::new(World::default());
    (Pool::new(Stub(Arc::clone(&world)), options).unwrap(), world)
}

/// No `min_size`, so that a test counts only what it asked for.
fn few(max_size: usize) -> PoolOptions {
    PoolOptions { min_size: 0, max_size, ..PoolOptions::default() }
}

fn me() -> Arc<str> {
    Arc::from("a test")
}

async fn get(pool: &Pool<Stub>) -> Result<Pooled<Stub>, DbError> {
    pool.acquire(tokio::time::Instant::now().into_std() + Duration::from_secs(3600), &me()).await
}

/// Lets every task run until it waits.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_connection_used_last_is_used_next_and_without_a_ping() {
    let (pool, world) = pool(few(3));
    let (a, b) = (get(&pool).await.unwrap(), get(&pool).await.unwrap());
    let (first, second) = (a.id, b.id);
    drop(a);
    drop(b);
    assert_eq!(get(&pool).await.unwrap().id, second);
    assert_eq!(get(&pool).await.unwrap().id, second);
    let (c, d) = (get(&pool).await.unwrap(), get(&pool).await.unwrap());
    assert_eq!((c.id, d.id), (second, first));
    assert_eq!(world.pings.load(Ordering::SeqCst), 0);
    let stats = pool.stats();
    assert_eq!((stats.active, stats.idle, stats.total, stats.created), (2, 0, 2, 2));
    assert_eq!(stats.acquisitions, 6);
    assert!((stats.reuse_rate - 4.0 / 6.0).abs() < 1e-9);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_tasks_on_ten_connections_all_get_their_turn() {
    let (pool, world) = pool(few(10));
    *world.connect_delay.lock() = Duration::from_millis(20);
    let tasks: Vec<_> = (0..1000)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move {
                let held = get(&pool).await?;
                tokio::time::sleep(Duration::from_millis(3)).await;
                drop(held);
                Ok::<_, DbError>(())
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let stats = pool.stats();
    assert_eq!((stats.failed_acquisitions, stats.acquisitions, stats.created), (0, 1000, 10));
    assert_eq!(world.most_open.load(Ordering::SeqCst), 10);
    assert!(stats.reuse_rate > 0.98, "{stats:?}");
    assert!(stats.avg_wait_time > 1.0 && stats.max_wait_time < 1000.0, "{stats:?}");
    assert_eq!(stats.wait_histogram.iter().sum::<u64>(), 1000);
    assert!(stats.wait_histogram[0] < 1000);
}

#[tokio::test(start_paused = true)]
async fn turns_are_in_the_order_of_asking() {
    let (pool, _) = pool(few(1));
    let held = get(&pool).await.unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    let tasks: Vec<_> = (0..50)
        .map(|number| {
            let (pool, order) = (pool.clone(), Arc::clone(&order));
            tokio::spawn(async move {
                let _held = get(&pool).await.unwrap();
                order.lock().push(number);
                tokio::task::yield_now().await;
            })
        })
        .collect();
    settle().await;
    drop(held);
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(*order.lock(), (0..50).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn the_queue_is_bounded_and_waiting_ends_at_the_first_limit() {
    let (pool, _) = pool(PoolOptions { queue: 2, acquire_timeout: Duration::from_millis(200), ..few(1) });
    let held = get(&pool).await.unwrap();
    let waiting: Vec<_> = (0..2)
        .map(|_| {
            tokio::spawn({
                let pool = pool.clone();
                async move { get(&pool).await }
            })
        })
        .collect();
    settle().await;
    assert_eq!(pool.stats().waiting, 2);
    assert_eq!(get(&pool).await.unwrap_err(), DbError::PoolExhausted);
    let from = tokio::time::Instant::now();
    for task in waiting {
        assert_eq!(task.await.unwrap().unwrap_err(), DbError::PoolExhausted);
    }
    assert!((200..210).contains(&from.elapsed().as_millis()), "acquire_timeout: {:?}", from.elapsed());
    let from = tokio::time::Instant::now();
    let deadline = from.into_std() + Duration::from_millis(50);
    assert_eq!(pool.acquire(deadline, &me()).await.unwrap_err(), DbError::PoolExhausted);
    assert!((50..60).contains(&from.elapsed().as_millis()), "the caller's own: {:?}", from.elapsed());
    assert_eq!(pool.stats().waiting, 0);
    assert_eq!(pool.stats().failed_acquisitions, 4);
    drop(held);
    get(&pool).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_leaves_hands_its_turn_on() {
    let (pool, _) = pool(few(1));
    let held = get(&pool).await.unwrap();
    let mut first = Box::pin(get(&pool));
    let mut second = Box::pin(get(&pool));
    let mut third = Box::pin(get(&pool));
    assert!(futures::poll!(first.as_mut()).is_pending());
    assert!(futures::poll!(second.as_mut()).is_pending());
    assert!(futures::poll!(third.as_mut()).is_pending());
    drop(second);
    drop(held);
    // The turn is the first one's, which leaves without having looked.
    drop(first);
    assert!(third.await.is_ok());
    assert_eq!(pool.stats().waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn futures_dropped_at_any_point_lose_nothing() {
    for steps in 0..12 {
        let (pool, world) = pool(PoolOptions { ping_after: Duration::ZERO, ..few(2) });
        *world.connect_delay.lock() = Duration::from_millis(2);
        let held = get(&pool).await.unwrap();
        drop(get(&pool).await.unwrap());
        {
            let mut leaving = Box::pin(async {
                let connection = get(&pool).await.unwrap();
                tokio::task::yield_now().await;
                drop(connection);
                get(&pool).await.unwrap();
            });
            for _ in 0..steps {
                if futures::poll!(leaving.as_mut()).is_ready() {
                    break;
                }
                tokio::time::advance(Duration::from_micros(500)).await;
            }
        }
        drop(held);
        settle().await;
        tokio::time::sleep(Duration::from_millis(10)).await;
        let all = (get(&pool).await.unwrap(), get(&pool).await.unwrap());
        let stats = pool.stats();
        assert_eq!((stats.active, stats.idle), (2, 0), "after {steps} steps");
        drop(all);
        assert!(world.open.load(Ordering::SeqCst) <= 2);
    }
}

#[tokio::test(start_paused = true)]
async fn impatient_callers_still_fill_the_pool() {
    let (pool, world) = pool(few(2));
    *world.connect_delay.lock() = Duration::from_millis(100);
    let deadline = tokio::time::Instant::now().into_std() + Duration::from_millis(10);
    assert_eq!(pool.acquire(deadline, &me()).await.unwrap_err(), DbError::Timeout);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!((pool.stats().active, pool.stats().idle), (0, 1));
    let deadline = tokio::time::Instant::now().into_std() + Duration::from_millis(10);
    assert!(pool.acquire(deadline, &me()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn only_after_idling_is_a_connection_pinged_and_one_death_condemns_its_peers() {
    let (pool, world) = pool(few(4));
    let all = (get(&pool).await.unwrap(), get(&pool).await.unwrap(), get(&pool).await.unwrap());
    drop(all);
    tokio::time::sleep(Duration::from_secs(29)).await;
    drop(get(&pool).await.unwrap());
    assert_eq!(world.pings.load(Ordering::SeqCst), 0);
    tokio::time::sleep(Duration::from_secs(31)).await;
    drop(get(&pool).await.unwrap());
    assert_eq!(world.pings.load(Ordering::SeqCst), 1);
    // The server was replaced: all that idle are dead. One ping finds out, for all.
    tokio::time::sleep(Duration::from_secs(31)).await;
    world.dead.lock().extend([1, 2, 3]);
    assert_eq!(get(&pool).await.unwrap().id, 4);
    assert_eq!(world.pings.load(Ordering::SeqCst), 2);
    settle().await;
    assert_eq!((pool.stats().total, pool.stats().destroyed), (1, 3));
    assert_eq!(world.open.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_costs_no_more_than_the_ping_timeout() {
    let (pool, world) = pool(few(4));
    drop((get(&pool).await.unwrap(), get(&pool).await.unwrap()));
    tokio::time::sleep(Duration::from_secs(60)).await;
    world.silent.store(true, Ordering::SeqCst);
    let from = tokio::time::Instant::now();
    assert_eq!(get(&pool).await.unwrap().id, 3);
    assert_eq!(from.elapsed().as_millis(), 1000);
}

#[tokio::test(start_paused = true)]
async fn a_jump_of_the_clock_empties_what_idled_and_harms_nothing_in_use() {
    let (pool, world) = pool(few(4));
    let (held, idle) = (get(&pool).await.unwrap(), get(&pool).await.unwrap());
    drop(idle);
    tokio::time::advance(Duration::from_secs(7 * 24 * 3600)).await;
    settle().await;
    assert_eq!(get(&pool).await.unwrap().id, 3, "the idle one was too old");
    assert_eq!(held.id, 1);
    drop(held);
    settle().await;
    assert_eq!(world.open.load(Ordering::SeqCst), 1, "so was the one in use, when it came back");
}

#[tokio::test(start_paused = true)]
async fn idle_connections_go_down_to_min_size_and_lifetimes_are_jittered() {
    let (pool, world) = pool(PoolOptions { min_size: 2, ..few(20) });
    let all: Vec<_> = futures::future::join_all((0..20).map(|_| get(&pool))).await;
    assert_eq!(world.open.load(Ordering::SeqCst), 20);
    drop(all);
    tokio::time::sleep(Duration::from_secs(5 * 60 + 10)).await;
    assert_eq!((pool.stats().idle, world.open.load(Ordering::SeqCst)), (2, 2));
    // Nobody comes any more: the two are replaced at the end of their lives, not at the same time.
    let mut ends = Vec::new();
    for second in 0..3700 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let opened = world.opened.load(Ordering::SeqCst);
        if opened > 20 + ends.len() as u64 {
            ends.resize((opened - 20) as usize, second);
        }
    }
    assert!(ends.len() >= 2, "{ends:?}");
    assert!(ends.iter().all(|end| (2900..=3600).contains(end)), "{ends:?}");
    assert_eq!(pool.stats().total, 2);
}

#[tokio::test(start_paused = true)]
async fn min_size_is_kept_from_the_first_use_on() {
    let (pool, world) = pool(PoolOptions { min_size: 3, ..few(5) });
    settle().await;
    assert_eq!(world.open.load(Ordering::SeqCst), 0, "nothing before it is needed");
    drop(get(&pool).await.unwrap());
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(pool.stats().idle, 3);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_down_is_said_at_once_and_noticed_when_back() {
    let (pool, world) = pool(few(2));
    world.down.store(true, Ordering::SeqCst);
    for _ in 0..5 {
        assert_eq!(get(&pool).await.unwrap_err(), DbError::Unavailable("down".into()));
    }
    assert_eq!((pool.stats().total, pool.stats().failed_acquisitions), (0, 5));
    world.down.store(false, Ordering::SeqCst);
    get(&pool).await.unwrap();
    *world.connect_delay.lock() = Duration::from_secs(60);
    let _one = get(&pool).await.unwrap();
    let late = pool.acquire(tokio::time::Instant::now().into_std() + Duration::from_secs(60), &me()).await;
    assert!(matches!(late, Err(DbError::Unavailable(_))), "{late:?}");
}

#[tokio::test(start_paused = true)]
async fn broken_connections_are_closed_and_dirty_ones_cured_or_closed() {
    let (pool, world) = pool(few(1));
    let mut held = get(&pool).await.unwrap();
    held.condition = Condition::Broken;
    drop(held);
    let mut held = get(&pool).await.unwrap();
    assert_eq!(held.id, 2);
    held.condition = Condition::Dirty;
    drop(held);
    // The next in the queue waits for the cure, and gets the same connection.
    let mut held = get(&pool).await.unwrap();
    assert_eq!((held.id, held.condition), (2, Condition::Clean));
    assert_eq!(world.resets.load(Ordering::SeqCst), 1);
    // A cure that fails.
    world.silent.store(true, Ordering::SeqCst);
    held.condition = Condition::Dirty;
    drop(held);
    let deadline = tokio::time::Instant::now().into_std() + Duration::from_secs(60);
    let (pool, from) = (pool, tokio::time::Instant::now());
    let late = pool.acquire(deadline, &me()).await;
    assert_eq!(late.unwrap_err(), DbError::PoolExhausted, "acquire_timeout is shorter than connect_timeout");
    tokio::time::sleep_until(from + Duration::from_secs(11)).await;
    assert_eq!(get(&pool).await.unwrap().id, 3);
}

#[tokio::test(start_paused = true)]
async fn a_connection_held_for_long_is_reported_with_its_holder() {
    let (pool, _) = pool(few(2));
    let _quick = get(&pool).await.unwrap();
    let leaked = pool.acquire(Instant::now() + Duration::from_secs(9), &Arc::from("a transaction")).await.unwrap();
    leaked.describe(Arc::from("SELECT 1"));
    assert!(pool.leaks().is_empty());
    tokio::time::sleep(Duration::from_secs(70)).await;
    let holders: Vec<_> = pool.leaks().into_iter().map(|leak| leak.holder.to_string()).collect();
    assert_eq!(holders, ["a test", "SELECT 1"]);
    assert_eq!(pool.stats().leaks, 2);
    drop(leaked);
    assert_eq!(pool.leaks().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn closing_waits_for_what_is_in_use_and_refuses_the_rest() {
    let (pool, world) = pool(few(2));
    let (held, idle) = (get(&pool).await.unwrap(), get(&pool).await.unwrap());
    drop(idle);
    let closing = tokio::spawn({
        let pool = pool.clone();
        async move { pool.close().await }
    });
    settle().await;
    assert_eq!(world.open.load(Ordering::SeqCst), 1);
    assert!(!closing.is_finished());
    assert!(matches!(get(&pool).await, Err(DbError::Unavailable(_))));
    drop(held);
    closing.await.unwrap();
    settle().await;
    assert_eq!(world.open.load(Ordering::SeqCst), 0);
}

#[test]
fn a_connection_whose_runtime_ended_is_not_used() {
    let (pool, _) = pool(few(2));
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    first.block_on(async { drop(get(&pool).await.unwrap()) });
    assert_eq!(first.block_on(async { get(&pool).await.unwrap().id }), 1);
    drop(first);
    assert_eq!(runtime().block_on(async { get(&pool).await.unwrap().id }), 2);
}

#[test]
fn options_that_cannot_work_are_refused_by_name() {
    for (options, name) in [
        (PoolOptions { max_size: 0, ..PoolOptions::default() }, "max_size"),
        (PoolOptions { min_size: 30, ..PoolOptions::default() }, "min_size"),
        (PoolOptions { acquire_timeout: Duration::ZERO, ..PoolOptions::default() }, "acquire_timeout"),
        (PoolOptions { max_lifetime: Duration::ZERO, ..PoolOptions::default() }, "max_lifetime"),
    ] {
        let error = Pool::new(Stub(Arc::default()), options).unwrap_err();
        assert!(matches!(&error, DbError::BadQuery(why) if why.contains(name)), "{error}");
    }
}

#[derive(Debug, Clone)]
enum Step {
    Acquire { patience_ms: u64 },
    Release(usize),
    Break(usize),
    Dirty(usize),
    Leave(usize),
    Kill(u64),
    Down(bool),
    Pass { ms: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..2000_u64).prop_map(|patience_ms| Step::Acquire { patience_ms }),
        3 => any::<usize>().prop_map(Step::Release),
        1 => any::<usize>().prop_map(Step::Break),
        1 => any::<usize>().prop_map(Step::Dirty),
        1 => any::<usize>().prop_map(Step::Leave),
        1 => (0..30_u64).prop_map(Step::Kill),
        1 => any::<bool>().prop_map(Step::Down),
        3 => (0..40_000_u64).prop_map(|ms| Step::Pass { ms }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn never_more_than_max_size_and_nothing_is_lost(
        max_size in 1..5_usize, min_size in 0..3_usize, delay in 0..50_u64, steps in prop::collection::vec(step(), 1..80)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (pool, world) = pool(PoolOptions { min_size: min_size.min(max_size), queue: 8, ..few(max_size) });
            *world.connect_delay.lock() = Duration::from_millis(delay);
            let mut held: Vec<Pooled<Stub>> = Vec::new();
            let mut asking: Vec<tokio::task::JoinHandle<Result<Pooled<Stub>, DbError>>> = Vec::new();
            for step in steps {
                match step {
                    Step::Acquire { patience_ms } => {
                        let pool = pool.clone();
                        let deadline = tokio::time::Instant::now().into_std() + Duration::from_millis(patience_ms);
                        asking.push(tokio::spawn(async move { pool.acquire(deadline, &me()).await }));
                    }
                    Step::Release(at) if !held.is_empty() => drop(held.swap_remove(at % held.len())),
                    Step::Break(at) if !held.is_empty() => {
                        let mut broken = held.swap_remove(at % held.len());
                        broken.condition = Condition::Broken;
                    }
                    Step::Dirty(at) if !held.is_empty() => {
                        let mut dirty = held.swap_remove(at % held.len());
                        dirty.condition = Condition::Dirty;
                    }
                    Step::Leave(at) if !asking.is_empty() => asking.swap_remove(at % asking.len()).abort(),
                    Step::Kill(id) => { world.dead.lock().insert(id); }
                    Step::Down(down) => world.down.store(down, Ordering::SeqCst),
                    Step::Pass { ms } => tokio::time::sleep(Duration::from_millis(ms)).await,
                    _ => {}
                }
                settle().await;
                let mut waits = Vec::new();
                for task in asking {
                    if task.is_finished() {
                        held.extend(task.await.ok().and_then(Result::ok));
                    } else {
                        waits.push(task);
                    }
                }
                asking = waits;
                let stats = pool.stats();
                assert!(stats.active + stats.idle <= max_size, "{stats:?}");
                assert_eq!(stats.total, stats.active + stats.idle);
                assert!(held.len() <= stats.active);
                assert!(held.iter().all(|held| held.condition == Condition::Clean));
                let ids: HashSet<u64> = held.iter().map(|held| held.id).collect();
                assert_eq!(ids.len(), held.len(), "one connection, two holders");
            }
            // In the end everybody can be served again.
            world.down.store(false, Ordering::SeqCst);
            drop(held);
            for task in asking {
                drop(task.await);
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            let all = futures::future::join_all((0..max_size).map(|_| get(&pool))).await;
            assert!(all.iter().all(Result::is_ok));
            assert_eq!(pool.stats().total, max_size);
            assert!(world.open.load(Ordering::SeqCst) <= max_size);
        });
    }
}
