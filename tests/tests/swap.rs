//! A new generation goes live under load without one lost request, and leaves nothing behind.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test speaks by failing")]

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use covet_tests::{Host, plugin, resident_bytes, wait_until};

const CONNECTIONS: usize = 64;
const SWAPS: u32 = 50;

/// The probe with another answer to `GET /version`. The marker lies in the component's data, so that no compiler is needed.
fn version(directory: &Path, number: u32) -> std::path::PathBuf {
    const MARKER: &[u8] = b"probe-version-000001";
    let mut wasm = std::fs::read(plugin("probe").unwrap()).unwrap();
    let at = wasm.windows(MARKER.len()).position(|window| window == MARKER).expect("the probe has its marker");
    wasm[at..at + MARKER.len()].copy_from_slice(format!("probe-version-{number:06}").as_bytes());
    let path = directory.join(format!("probe-{number}.wasm"));
    std::fs::write(&path, wasm).unwrap();
    path
}

#[test]
fn fifty_swaps_under_load_lose_no_request() {
    let host = Host::start().unwrap();
    let directory = host.directory().to_path_buf();
    let versions: Vec<_> = (1..=4).map(|number| version(&directory, number)).collect();
    host.deploy("probe", &versions[0], Some("/")).unwrap();
    // Compiled once, so that the swaps below follow each other quickly.
    for path in &versions {
        host.deploy("probe", path, Some("/")).unwrap();
    }

    let stop = AtomicBool::new(false);
    let seen = Mutex::new(BTreeMap::<String, u64>::new());
    let mut resident = Vec::new();
    std::thread::scope(|scope| {
        let load: Vec<_> = (0..CONNECTIONS)
            .map(|_| {
                scope.spawn(|| {
                    let client = host.client();
                    let mut mine = BTreeMap::<String, u64>::new();
                    while !stop.load(Ordering::Relaxed) {
                        let answer = client.get("/version").expect("a request failed");
                        assert_eq!(answer.status(), 200, "{}", answer.text());
                        *mine.entry(answer.text()).or_default() += 1;
                    }
                    let mut seen = seen.lock().unwrap();
                    for (version, count) in mine {
                        *seen.entry(version).or_default() += count;
                    }
                })
            })
            .collect();
        for swap in 0..SWAPS {
            let number = (swap % 4) as usize;
            host.deploy("probe", &versions[number], Some("/")).unwrap();
            if swap == 9 || swap == SWAPS - 1 {
                resident.push(resident_bytes(host.pid()));
            }
        }
        stop.store(true, Ordering::Relaxed);
        for thread in load {
            thread.join().expect("a request was lost");
        }
    });

    let seen = seen.into_inner().unwrap();
    for version in seen.keys() {
        let number: u32 = version.strip_prefix("probe-version-").and_then(|number| number.parse().ok()).unwrap_or(0);
        assert!((1..=4).contains(&number), "a response of no generation: {version:?}");
    }
    assert_eq!(seen.len(), 4, "not every generation answered: {seen:?}");
    // The last swap is live at once, for everybody.
    assert_eq!(host.client().get("/version").unwrap().text(), format!("probe-version-{:06}", (SWAPS - 1) % 4 + 1));
    // Old generations are gone: forty more swaps did not make the host larger by more than noise.
    let flat = wait_until(Duration::from_secs(20), || resident_bytes(host.pid()) < resident[0] + (64 << 20));
    assert!(flat, "memory grew from {} to {} bytes", resident[0], resident_bytes(host.pid()));
}

#[test]
fn a_request_in_flight_finishes_on_the_generation_it_started_on() {
    let host = Host::start().unwrap();
    let directory = host.directory().to_path_buf();
    host.deploy("probe", &version(&directory, 1), Some("/")).unwrap();
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| host.client().get("/slow-version/1500").unwrap());
        std::thread::sleep(Duration::from_millis(300));
        host.deploy("probe", &version(&directory, 2), Some("/")).unwrap();
        assert_eq!(host.client().get("/version").unwrap().text(), "probe-version-000002");
        assert_eq!(slow.join().unwrap().expect_status(200).text(), "probe-version-000001");
    });
}

#[test]
fn rollback_swaps_back_at_once() {
    let host = Host::start().unwrap();
    let directory = host.directory().to_path_buf();
    host.deploy("probe", &version(&directory, 1), Some("/")).unwrap();
    host.deploy("probe", &version(&directory, 2), Some("/")).unwrap();
    host.admin().send("POST", "/v1/plugins/probe/rollback", None, b"").unwrap().expect_status(200);
    assert_eq!(host.client().get("/version").unwrap().text(), "probe-version-000001");
}
