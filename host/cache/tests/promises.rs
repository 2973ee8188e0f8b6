//! What the cache promises, one test each.

use std::{
    sync::Arc,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::Duration,
};

use covet_cache::{Bytes, Cache, CacheError, CacheOptions, Outcome};

fn cache() -> Cache {
    Cache::new(CacheOptions::default())
}

fn small(max_bytes: u64, max_entries: u64) -> Cache {
    Cache::new(CacheOptions { max_bytes, max_entries, ..CacheOptions::default() })
}

#[test]
fn what_is_set_is_found_until_it_is_deleted() {
    let cache = cache();
    assert_eq!(cache.get("blog", "a"), Ok(None));
    cache.set("blog", "a", Bytes::from_static(b"1"), None).unwrap();
    assert_eq!(cache.get("blog", "a"), Ok(Some(Bytes::from_static(b"1"))));
    assert_eq!(cache.delete("blog", "a"), Ok(true));
    assert_eq!(cache.delete("blog", "a"), Ok(false));
    assert_eq!(cache.get("blog", "a"), Ok(None));
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses, stats.sets, stats.deletes), (1, 2, 1, 1));
}

#[test]
fn an_empty_value_is_a_value() {
    let cache = cache();
    cache.set("blog", "none", Bytes::new(), None).unwrap();
    assert_eq!(cache.get("blog", "none"), Ok(Some(Bytes::new())));
}

#[test]
fn a_space_sees_its_own_keys_only() {
    let cache = cache();
    cache.set("ab", "c", Bytes::from_static(b"1"), None).unwrap();
    cache.set("a", "bc", Bytes::from_static(b"2"), None).unwrap();
    assert_eq!(cache.get("ab", "c"), Ok(Some(Bytes::from_static(b"1"))));
    assert_eq!(cache.purge("ab"), 1);
    assert_eq!(cache.get("ab", "c"), Ok(None));
    assert_eq!(cache.get("a", "bc"), Ok(Some(Bytes::from_static(b"2"))));
}

#[test]
fn an_entry_expires_by_its_own_time() {
    let cache = cache();
    cache.set("blog", "short", Bytes::from_static(b"1"), Some(Duration::from_millis(30))).unwrap();
    cache.set("blog", "long", Bytes::from_static(b"2"), Some(Duration::from_secs(60))).unwrap();
    std::thread::sleep(Duration::from_millis(60));
    assert_eq!(cache.get("blog", "short"), Ok(None));
    assert!(cache.get("blog", "long").unwrap().is_some());
    // A new value has a new life.
    cache.set("blog", "long", Bytes::from_static(b"3"), Some(Duration::from_millis(30))).unwrap();
    std::thread::sleep(Duration::from_millis(60));
    assert_eq!(cache.get("blog", "long"), Ok(None));
}

#[test]
fn memory_is_bounded_by_bytes_and_by_entries() {
    let cache = small(1 << 20, 1_000_000);
    for n in 0..1_000 {
        cache.set("blog", &n.to_string(), Bytes::from(vec![0; 10_000]), None).unwrap();
    }
    cache.settle();
    let stats = cache.stats();
    assert!(stats.bytes <= 1 << 20, "{stats:?}");
    assert!(stats.entries > 50, "{stats:?}");
    assert_eq!(stats.evictions, 1_000 - stats.entries, "{stats:?}");

    let cache = small(1 << 20, 100);
    for n in 0..1_000 {
        cache.set("blog", &n.to_string(), Bytes::from_static(b"x"), None).unwrap();
    }
    cache.settle();
    assert!(cache.stats().entries <= 100, "{:?}", cache.stats());
}

#[test]
fn too_large_a_key_or_value_is_refused_and_changes_nothing() {
    let cache = Cache::new(CacheOptions { max_value: 4, ..CacheOptions::default() });
    cache.set("blog", "a", Bytes::from_static(b"1234"), None).unwrap();
    let error = cache.set("blog", "a", Bytes::from_static(b"12345"), None).unwrap_err();
    assert!(matches!(&error, CacheError::TooLarge(why) if why.contains("5 bytes") && why.contains("limit is 4")));
    assert_eq!(cache.get("blog", "a"), Ok(Some(Bytes::from_static(b"1234"))));
    let long = "k".repeat(513);
    assert!(matches!(cache.get("blog", &long), Err(CacheError::TooLarge(_))));
    assert!(matches!(cache.delete("blog", &long), Err(CacheError::TooLarge(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_callers_at_once_compute_once() {
    let cache = cache();
    let computed = Arc::new(AtomicUsize::new(0));
    let mut callers = Vec::new();
    for _ in 0..64 {
        let (cache, computed) = (cache.clone(), computed.clone());
        callers.push(tokio::spawn(async move {
            match cache.acquire("blog", "popular").await.unwrap() {
                Outcome::Hit(value) => value,
                Outcome::Miss(lease) => {
                    computed.fetch_add(1, SeqCst);
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    lease.fill(Bytes::from_static(b"value"), None).unwrap();
                    Bytes::from_static(b"value")
                }
            }
        }));
    }
    for caller in callers {
        assert_eq!(caller.await.unwrap(), Bytes::from_static(b"value"));
    }
    assert_eq!(computed.load(SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_lease_dropped_unfilled_goes_to_the_next_that_waits() {
    let cache = cache();
    let computed = Arc::new(AtomicUsize::new(0));
    let mut callers = Vec::new();
    for _ in 0..64 {
        let (cache, computed) = (cache.clone(), computed.clone());
        callers.push(tokio::spawn(async move {
            match cache.acquire("blog", "fails").await.unwrap() {
                Outcome::Hit(_) => true,
                Outcome::Miss(lease) => {
                    let turn = computed.fetch_add(1, SeqCst);
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    if turn < 5 {
                        drop(lease);
                        return false;
                    }
                    lease.fill(Bytes::new(), None).unwrap();
                    true
                }
            }
        }));
    }
    let mut served = 0;
    for caller in callers {
        served += usize::from(caller.await.unwrap());
    }
    assert_eq!(computed.load(SeqCst), 6);
    assert_eq!(served, 59);
}

#[tokio::test]
async fn a_waiter_that_left_is_passed_over() {
    let cache = cache();
    let Outcome::Miss(lease) = cache.acquire("blog", "a").await.unwrap() else { panic!("hit") };
    // Two give up waiting; the second even between being chosen and being polled.
    let impatient = tokio::time::timeout(Duration::from_millis(5), cache.acquire("blog", "a")).await;
    assert!(impatient.is_err());
    let mut chosen = Box::pin(cache.acquire("blog", "a"));
    assert!(futures_poll_once(chosen.as_mut()).await.is_none());
    let waiting = tokio::spawn({
        let cache = cache.clone();
        async move { cache.acquire("blog", "a").await.unwrap() }
    });
    tokio::task::yield_now().await;
    drop(lease);
    drop(chosen);
    assert!(matches!(waiting.await.unwrap(), Outcome::Miss(_)));
}

#[tokio::test]
async fn a_value_too_large_to_keep_still_reaches_those_who_wait() {
    let cache = Cache::new(CacheOptions { max_value: 4, ..CacheOptions::default() });
    let Outcome::Miss(lease) = cache.acquire("blog", "a").await.unwrap() else { panic!("hit") };
    let waiting = tokio::spawn({
        let cache = cache.clone();
        async move { cache.acquire("blog", "a").await.unwrap() }
    });
    tokio::task::yield_now().await;
    assert!(lease.fill(Bytes::from_static(b"12345"), None).is_err());
    assert!(matches!(waiting.await.unwrap(), Outcome::Hit(value) if value == "12345"));
    assert_eq!(cache.get("blog", "a"), Ok(None));
}

async fn futures_poll_once<F: Future + Unpin>(future: F) -> Option<F::Output> {
    let mut future = future;
    std::future::poll_fn(|cx| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut future).poll(cx) {
            std::task::Poll::Ready(value) => Some(value),
            std::task::Poll::Pending => None,
        })
    })
    .await
}
