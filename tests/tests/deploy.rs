//! A deploy that fails gives one clear error and changes nothing; a host killed in the middle of one comes up.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test speaks by failing")]

use std::{io::Write, time::Duration};

use covet_tests::{Host, Response, plugin, wait_until};
use serde_json::Value;

fn host() -> Host {
    let host = Host::start().unwrap();
    host.deploy("probe", &plugin("probe").unwrap(), Some("/")).unwrap();
    host
}

/// What the admin API shows of the world: it must be the same before and after.
fn world(host: &Host) -> (Value, Value, Vec<String>) {
    let admin = host.admin();
    let mut files: Vec<String> =
        walk(&host.state()).into_iter().filter(|path| path.ends_with(".wasm") || path.contains("desired")).collect();
    files.sort();
    let mut plugins = admin.get("/v1/plugins").unwrap().expect_status(200).json();
    forget_counters(&mut plugins);
    (plugins, admin.get("/v1/routes").unwrap().expect_status(200).json(), files)
}

/// Leaves out what counts up by itself.
fn forget_counters(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.remove("stats");
            map.remove("requests");
            map.remove("instances");
            map.values_mut().for_each(forget_counters);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_counters),
        _ => {}
    }
}

fn walk(directory: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            found.extend(walk(&entry.path()));
        } else {
            found.push(entry.path().display().to_string());
        }
    }
    found
}

fn put(host: &Host, name: &str, mount: &str, bytes: &[u8]) -> Response {
    host.admin().send("PUT", &format!("/v1/plugins/{name}?mount={mount}"), Some("application/wasm"), bytes).unwrap()
}

/// Deploys `bytes`, wants a refusal with `code` whose message has `needle`, and an unchanged world.
fn refused(host: &Host, name: &str, mount: &str, bytes: &[u8], code: &str, needle: &str) {
    let before = world(host);
    let answer = put(host, name, mount, bytes);
    assert!((400..500).contains(&answer.status()), "{} {}", answer.status(), answer.text());
    let error = &answer.json()["error"];
    assert_eq!(error["code"], code, "{error}");
    assert!(error["message"].as_str().unwrap().contains(needle), "{error}");
    assert_eq!(world(host), before, "a refused deploy changed something");
    host.client().get("/").unwrap().expect_status(200);
}

/// A component's text made binary.
fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

#[test]
fn what_is_not_wasm_is_refused() {
    refused(&host(), "other", "/other", b"#!/bin/sh\necho hello\n", "not-wasm", "not WebAssembly");
}

#[test]
fn a_core_module_is_refused() {
    refused(&host(), "other", "/other", &wat("(module)"), "core-module", "component");
}

#[test]
fn a_component_of_another_world_is_refused() {
    refused(&host(), "other", "/other", &wat("(component)"), "wrong-world", "does not export");
}

#[test]
fn a_describe_that_traps_is_refused() {
    refused(&host(), "other", "/other", &marked(b'T'), "describe-trap", "describe");
}

#[test]
fn a_describe_that_hangs_is_refused() {
    refused(&host(), "other", "/other", &marked(b'H'), "describe-timeout", "describe");
}

/// The `odd` plugin misbehaves in `describe` as one byte of its data tells.
fn marked(how: u8) -> Vec<u8> {
    const MARKER: &[u8] = b"odd-plugin-mode=";
    let mut wasm = std::fs::read(plugin("odd").unwrap()).unwrap();
    let at = wasm.windows(MARKER.len()).position(|window| window == MARKER).expect("the odd plugin has its marker");
    wasm[at + MARKER.len()] = how;
    wasm
}

#[test]
fn a_route_conflict_is_refused_with_both_owners_named() {
    let host = host();
    let probe = std::fs::read(plugin("probe").unwrap()).unwrap();
    refused(&host, "shop", "/", &probe, "route-conflict", "probe");
}

#[test]
fn a_table_that_does_not_fit_its_model_is_refused_with_column_and_model_named() {
    let host = host();
    let database = walk(&host.state()).into_iter().find(|path| path.ends_with(".db")).expect("a database file");
    let connection = rusqlite::Connection::open(database).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    // The odd plugin has a model `Odd` with `size: i64`.
    connection.execute_batch("CREATE TABLE odds (id INTEGER PRIMARY KEY AUTOINCREMENT, size TEXT NOT NULL)").unwrap();
    refused(&host, "odd", "/odd", &marked(b'.'), "table-mismatch", "size");
}

#[test]
fn an_upload_that_is_cut_off_changes_nothing() {
    let host = host();
    let before = world(&host);
    let probe = std::fs::read(plugin("probe").unwrap()).unwrap();
    let mut raw = covet_tests::Raw::connect(host.admin_addr()).unwrap();
    raw.send(format!(
        "PUT /v1/plugins/other?mount=/other HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n",
        host.token(),
        probe.len()
    ))
    .unwrap();
    raw.send(&probe[..probe.len() / 2]).unwrap();
    raw.stream().flush().unwrap();
    drop(raw);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(world(&host), before);
    host.client().get("/").unwrap().expect_status(200);
}

#[test]
fn the_admin_api_wants_its_token() {
    let host = host();
    for token in
        ["", "Bearer ", "Bearer wrong", &format!("Basic {}", host.token()), &format!("Bearer {}x", host.token())]
    {
        let answer =
            covet_tests::Client::new(host.admin_url()).with_header("authorization", token).get("/v1/plugins").unwrap();
        assert_eq!(answer.status(), 401, "{token:?}");
    }
    covet_tests::Client::new(host.admin_url()).get("/v1/plugins").unwrap().expect_status(401);
}

#[test]
fn kill_9_at_any_instant_of_a_deploy_leaves_a_host_that_comes_up() {
    let mut host = host();
    let probe = std::fs::read(plugin("probe").unwrap()).unwrap();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..12u64 {
        // A new digest each round, so that nothing is reused; every third one is compiled before, to hit the late steps.
        let mut wasm = probe.clone();
        wasm.extend_from_slice(&[0, 6, 4, b'n', b'o', b't', b'e', u8::try_from(round).unwrap()]);
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let delay = Duration::from_micros((random >> 33) % if round % 3 == 0 { 60_000 } else { 1_500_000 });
        let (admin, pid) = (host.admin(), host.pid());
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let _ = admin.send("PUT", "/v1/plugins/probe?mount=/", Some("application/wasm"), &wasm);
            });
            std::thread::sleep(delay);
            covet_tests::kill9(pid);
        });
        host.kill9();
        host.restart().unwrap();
        let up = wait_until(Duration::from_secs(30), || {
            host.client().get("/version").is_ok_and(|answer| answer.status() == 200)
        });
        assert!(up, "round {round}: killed after {delay:?}, the host does not come up:\n{}", host.host_log());
        let shown = host.admin().get("/v1/plugins").unwrap().expect_status(200).json();
        assert!(shown.to_string().contains("probe"), "round {round}: {shown}");
    }
    // And it still takes a deploy.
    host.deploy("probe", &plugin("probe").unwrap(), Some("/")).unwrap();
}
