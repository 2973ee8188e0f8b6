//! The admin API without plugins: who may, and what a bad deploy does (nothing).
#![allow(clippy::unwrap_used, reason = "a failed test is how it speaks")]

mod common;

use std::{io::Write, time::Duration};

use common::{TOKEN, connect, host, read, status};

#[test]
fn nothing_is_answered_without_the_token() {
    let host = host(|_| {});
    for (method, path) in [
        ("GET", "/v1/health"),
        ("GET", "/v1/plugins"),
        ("PUT", "/v1/plugins/x"),
        ("GET", "/nowhere"),
        ("POST", "/v1/plugins/x/rollback"),
    ] {
        for token in [None, Some(""), Some("wrong"), Some(&TOKEN[1..])] {
            let answer = host.admin(method, path, token, b"");
            assert_eq!(status(&answer), 401, "{method} {path} {token:?}");
            assert!(answer.to_lowercase().contains("www-authenticate: bearer"), "{answer}");
            assert!(!answer.contains(TOKEN) && !answer.to_lowercase().contains("access-control"), "{answer}");
        }
    }
    assert_eq!(status(&host.admin("GET", "/v1/health", Some(TOKEN), b"")), 200);
}

#[test]
fn the_admin_api_is_not_on_the_plugins_listener_nor_the_other_way_round() {
    let host = host(|_| {});
    let answer = host.send(
        format!("GET /v1/health HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {TOKEN}\r\nconnection: close\r\n\r\n")
            .as_bytes(),
    );
    assert_eq!(status(&answer), 404);
}

#[test]
fn unknown_paths_plugins_and_methods_are_told_apart() {
    let host = host(|_| {});
    let ask = |method: &str, path: &str| host.admin(method, path, Some(TOKEN), b"");
    assert_eq!(status(&ask("GET", "/v1/nowhere")), 404);
    assert!(ask("GET", "/v1/plugins/blog").contains("unknown-plugin"));
    assert!(ask("DELETE", "/v1/plugins/blog").contains("unknown-plugin"));
    assert!(ask("POST", "/v1/plugins/blog/rollback").contains("unknown-plugin"));
    assert_eq!(status(&ask("POST", "/v1/health")), 405);
    assert!(ask("GET", "/v1/plugins").contains("{\"plugins\":[]}"));
    assert!(ask("GET", "/v1/routes").contains("{\"routes\":[]}"));
}

#[test]
fn a_bad_deploy_gives_one_clear_error_and_changes_nothing() {
    let host = host(|config| config.admin.max_upload = 1 << 20);
    let put = |path: &str, body: &[u8]| host.admin("PUT", path, Some(TOKEN), body);
    let cases: &[(&str, &[u8], u16, &str)] = &[
        ("/v1/plugins/blog", b"", 422, "not-wasm"),
        ("/v1/plugins/blog", b"hello", 422, "not-wasm"),
        ("/v1/plugins/blog", b"\0asm\x01\0\0\0", 422, "core-module"),
        ("/v1/plugins/blog", b"\0asm\x0d\0\x01\0", 422, "wrong-world"),
        ("/v1/plugins/blog", b"\0asm\x0d\0\x01\0\xff\xff", 422, "malformed"),
        ("/v1/plugins/Blog", b"\0asm\x0d\0\x01\0", 422, "bad-name"),
        ("/v1/plugins/blog?mount=x", b"\0asm\x0d\0\x01\0", 422, "bad-mount"),
    ];
    for (path, body, code, word) in cases {
        let answer = put(path, body);
        assert_eq!(status(&answer), *code, "{path}: {answer}");
        assert!(answer.contains(&format!("\"code\":\"{word}\"")), "{word}: {answer}");
    }
    assert_eq!(status(&put("/v1/plugins/blog", &vec![0; 2 << 20])), 413);
    assert!(host.admin("GET", "/v1/plugins", Some(TOKEN), b"").contains("{\"plugins\":[]}"));
    assert!(!host.state.path().join("state/desired.json").exists());
}

#[test]
fn an_upload_that_breaks_off_changes_nothing() {
    let host = host(|_| {});
    let mut stream = connect(host.server.admin_addr());
    let head = format!(
        "PUT /v1/plugins/blog HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {TOKEN}\r\ncontent-length: 100000\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(b"\0asm\x0d\0\x01\0").unwrap();
    drop(stream);
    std::thread::sleep(Duration::from_millis(100));
    assert!(host.admin("GET", "/v1/plugins", Some(TOKEN), b"").contains("{\"plugins\":[]}"));
}

#[test]
fn without_a_given_token_one_is_made_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let host = host(|config| config.admin.token = None);
    let path = host.state.path().join("state/admin.token");
    let token = std::fs::read_to_string(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(status(&host.admin("GET", "/v1/health", Some(token.trim()), b"")), 200);
    assert_eq!(status(&host.admin("GET", "/v1/health", None, b"")), 401);
}

#[test]
fn heads_and_slow_peers_are_bounded_on_the_admin_listener_too() {
    let host = host(|config| config.server.header_timeout = Duration::from_millis(300));
    let mut stream = connect(host.server.admin_addr());
    stream.write_all(b"GET /v1/he").unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    assert!(read(&mut stream).1);
}
