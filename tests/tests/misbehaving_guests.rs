//! A guest that misbehaves costs its own request and nothing else: bounded, logged under its name, a proper status.
//!
//! Every test has a neighbour on the same host that must go on answering while the probe misbehaves.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test speaks by failing")]

use std::time::{Duration, Instant};

use covet_tests::{Host, plugin, resident_bytes, wait_until};

const LIMITS: &str = r#"
[plugins.probe.limits]
deadline = "1s"
cpu = "300ms"
memory = "32MiB"
body = "64KiB"
log_bytes_per_second = "16KiB"
"#;

fn host() -> Host {
    let host = Host::options().config(LIMITS).start().unwrap();
    host.deploy("probe", &plugin("probe").unwrap(), Some("/probe")).unwrap();
    host.deploy("neighbour", &plugin("probe").unwrap(), Some("/neighbour")).unwrap();
    host
}

/// Runs `misbehave` while the neighbour is asked without a pause, and fails if it ever does not answer at once.
fn unharmed(host: &Host, misbehave: impl FnOnce()) {
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let client = host.client();
            let (mut asked, mut worst) = (0u32, Duration::ZERO);
            while !stop.load(std::sync::atomic::Ordering::Relaxed) || asked == 0 {
                let start = Instant::now();
                let answer = client.get("/neighbour/").unwrap();
                assert_eq!(answer.status(), 200, "{}", answer.text());
                worst = worst.max(start.elapsed());
                asked += 1;
                std::thread::sleep(Duration::from_millis(5));
            }
            worst
        });
        // Also when it fails: the neighbour must not ask for ever.
        let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(misbehave));
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        if let Err(failed) = failed {
            std::panic::resume_unwind(failed);
        }
        let worst = asking.join().expect("the neighbour was harmed");
        assert!(worst < Duration::from_secs(5), "the neighbour waited {worst:?}");
    });
}

fn logged(host: &Host, needle: &str) {
    let found = wait_until(Duration::from_secs(5), || {
        host.logs("probe").is_ok_and(|lines| lines.iter().any(|line| line.to_string().contains(needle)))
    });
    assert!(found, "no line of the probe's log has {needle:?}: {:#?}", host.logs("probe").unwrap());
}

#[test]
fn an_endless_loop_ends_at_its_processor_time() {
    let host = host();
    unharmed(&host, || {
        let start = Instant::now();
        let answer = host.client().get("/probe/loop").unwrap();
        assert_eq!(answer.status(), 504, "{}", answer.text());
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    });
    logged(&host, "processor time");
    host.client().get("/probe/").unwrap().expect_status(200);
}

#[test]
fn endless_allocation_ends_at_the_memory_limit() {
    let host = host();
    let before = resident_bytes(host.pid());
    unharmed(&host, || {
        for _ in 0..5 {
            let answer = host.client().get("/probe/alloc").unwrap();
            assert_eq!(answer.status(), 500, "{}", answer.text());
        }
    });
    logged(&host, "memory");
    let grown = resident_bytes(host.pid()).saturating_sub(before);
    assert!(grown < 256 << 20, "the host grew by {grown} bytes");
    host.client().get("/probe/").unwrap().expect_status(200);
}

#[test]
fn endless_recursion_ends_at_the_stack_limit() {
    let host = host();
    unharmed(&host, || {
        host.client().get("/probe/recurse").unwrap().expect_status(500);
    });
    logged(&host, "stack");
    host.client().get("/probe/").unwrap().expect_status(200);
}

#[test]
fn a_panic_is_a_500_and_is_logged_with_the_guests_own_file_and_line() {
    let host = host();
    unharmed(&host, || {
        let answer = host.client().get("/probe/panic").unwrap();
        assert_eq!(answer.status(), 500);
        assert!(!answer.text().contains("src/"), "details leak to the client: {}", answer.text());
    });
    logged(&host, "src/");
    host.client().get("/probe/").unwrap().expect_status(200);
}

#[test]
fn a_flood_of_log_lines_is_cut_and_counted() {
    let host = host();
    unharmed(&host, || {
        let status = host.client().get("/probe/flood/100000").unwrap().status();
        assert!(status == 200 || status == 504, "{status}");
    });
    let kept: usize = host.logs("probe").unwrap().iter().map(|line| line.to_string().len()).sum();
    assert!(kept < 4 << 20, "{kept} bytes of log were kept");
    logged(&host, "dropped");
}

#[test]
fn a_handler_that_never_answers_ends_at_its_deadline() {
    let host = host();
    unharmed(&host, || {
        let start = Instant::now();
        let answer = host.client().get("/probe/hang").unwrap();
        assert_eq!(answer.status(), 504, "{}", answer.text());
        assert!(start.elapsed() >= Duration::from_millis(900), "{:?}", start.elapsed());
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    });
    logged(&host, "within");
    host.client().get("/probe/").unwrap().expect_status(200);
}

#[test]
fn a_body_past_the_limit_is_refused_before_and_while_it_arrives() {
    let host = host();
    let large = vec![b'x'; 100 << 10];
    unharmed(&host, || {
        let answer = host.client().send("POST", "/probe/echo", Some("text/plain"), &large).unwrap();
        assert_eq!(answer.status(), 413, "{}", answer.text());
        // Without a length to look at first.
        let mut raw = covet_tests::Raw::connect(host.http_addr()).unwrap();
        raw.send("POST /probe/echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
        for _ in 0..100 {
            if raw.send(format!("{:x}\r\n{}\r\n", 1024, "y".repeat(1024))).is_err() {
                break;
            }
        }
        let _ = raw.send("0\r\n\r\n");
        let (status, _) = raw.answer();
        assert_eq!(status, 413);
    });
    host.client().get("/probe/").unwrap().expect_status(200);
}

#[test]
fn a_trap_inside_a_transaction_rolls_it_back_and_frees_the_writer() {
    let host = host();
    let accounts = || host.client().get("/probe/accounts").unwrap().expect_status(200).text();
    host.client().send("POST", "/probe/accounts/reset", None, b"").unwrap().expect_status(204);
    let before = accounts();
    host.client().send("POST", "/probe/transactions/trapped", None, b"").unwrap().expect_status(500);
    assert_eq!(accounts(), before, "half a transaction is there");
    host.client().send("POST", "/probe/transfer/1", None, b"").unwrap().expect_status(204);
    assert_ne!(accounts(), before, "the writer is stuck");
}
