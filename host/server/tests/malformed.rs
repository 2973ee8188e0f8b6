//! Whatever bytes come, the host answers with the right status or closes the connection, and serves on.
#![allow(clippy::unwrap_used, reason = "a failed test is how it speaks")]

mod common;

use common::{host, read, status};
use std::io::Write;

/// The connection was closed without a word.
const CLOSED: u16 = 0;

#[test]
fn malformed_heads_get_400_and_nothing_else() {
    let host = host(|_| {});
    let cases: &[(&[u8], &[u16])] = &[
        (b"\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", &[404]),
        (b"GET\r\n\r\n", &[400]),
        (b"GET /\r\n\r\n", &[400]),
        (b"GET / HTTP/9.9\r\nhost: a\r\n\r\n", &[400, 505]),
        (b"GET / HTTQ/1.1\r\nhost: a\r\n\r\n", &[400]),
        (b"G\x00T / HTTP/1.1\r\nhost: a\r\n\r\n", &[400]),
        (b"GET /\x00 HTTP/1.1\r\nhost: a\r\n\r\n", &[400]),
        (b"GET /a b HTTP/1.1\r\nhost: a\r\n\r\n", &[400]),
        (b"GET / HTTP/1.1\r\nhost a\r\n\r\n", &[400]),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx\x01y: 1\r\n\r\n", &[400]),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx : 1\r\n\r\n", &[400]),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx: 1\r\n folded\r\n\r\n", &[400]),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx: \x00\r\n\r\n", &[400]),
        (b"GET / HTTP/1.1\rhost: a\r\r", &[400]),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", &[400, CLOSED]),
        (b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", &[400, CLOSED]),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\ngarbage that is no frame at all", &[CLOSED]),
    ];
    for (bytes, expected) in cases {
        let answer = host.send(bytes);
        // Frames of HTTP/2 before its goodbye are no status line.
        let got = if answer.starts_with("HTTP/1.1 ") { status(&answer) } else { CLOSED };
        assert!(expected.contains(&got), "{:?}: {answer:?}", String::from_utf8_lossy(bytes));
    }
    host.assert_alive();
}

#[test]
fn a_host_is_asked_for_exactly_once() {
    let host = host(|_| {});
    let cases: &[(&str, u16)] = &[
        ("GET / HTTP/1.1\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a/b\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: user@a\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a b\r\n", 400),
        ("GET / HTTP/1.0\r\n", 404),
        ("GET / HTTP/1.1\r\nhost: [::1]:80\r\n", 404),
        ("GET http://a/x HTTP/1.1\r\nhost: a\r\n", 404),
        ("GET http://a/x/../y HTTP/1.1\r\nhost: a\r\n", 400),
    ];
    for (head, expected) in cases {
        let answer = host.send(format!("{head}connection: close\r\n\r\n").as_bytes());
        assert_eq!(status(&answer), *expected, "{head:?}: {answer:?}");
    }
}

#[test]
fn paths_that_could_mean_two_things_are_refused() {
    let host = host(|_| {});
    let cases = [
        ("/a%2Fb", 404),
        ("/a%2fb", 404),
        ("//", 404),
        ("/a//b", 404),
        ("/.", 400),
        ("/..", 400),
        ("/a/../b", 400),
        ("/a/%2e%2e/b", 400),
        ("/a/%2E./b", 400),
        ("/a%2F..%2Fb", 400),
        ("/%", 400),
        ("/%zz", 400),
        ("/%c3%28", 400),
        ("/%ff", 400),
        ("/%00", 400),
        ("/caf%C3%A9", 404),
        ("/?q=%zz", 404),
    ];
    for (path, expected) in cases {
        let answer = host.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").as_bytes());
        assert_eq!(status(&answer), expected, "{path}: {answer:?}");
        assert!(answer.contains("{\"error\":{\"code\":\""), "{answer}");
    }
}

#[test]
fn methods_beyond_the_wall_are_refused_and_the_star_is_answered() {
    let host = host(|_| {});
    let ask = |line: &str| host.send(format!("{line} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").as_bytes());
    assert_eq!(status(&ask("BREW /pot")), 501);
    assert_eq!(status(&ask("TRACE /")), 405);
    let connect = ask("CONNECT example.com:443");
    assert_eq!(status(&connect), 405);
    assert!(connect.to_lowercase().contains("allow: get"), "{connect}");
    let star = ask("OPTIONS *");
    assert_eq!(status(&star), 204);
    assert!(star.to_lowercase().contains("allow: get"), "{star}");
    assert_eq!(status(&ask("GET *")), 400);
    let head = ask("HEAD /nobody");
    assert_eq!(status(&head), 404);
    assert!(head.ends_with("\r\n\r\n"), "HEAD has no content: {head:?}");
    assert!(head.to_lowercase().contains("content-length: ") && !head.contains("content-length: 0"), "{head}");
}

#[test]
fn heads_past_the_limits_get_431_and_long_targets_414() {
    let host = host(|config| config.server.head_limit = 16 << 10);
    let huge = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "y".repeat(20 << 10));
    assert_eq!(status(&host.send(huge.as_bytes())), 431);
    let endless = "x".repeat(300 << 10);
    let answer = host.send(format!("GET / HTTP/1.1\r\nhost: a\r\nx: {endless}").as_bytes());
    assert_eq!(status(&answer), 431, "a head without end");
    let many: String = (0..101).map(|n| format!("x{n}: 1\r\n")).collect();
    assert_eq!(status(&host.send(format!("GET / HTTP/1.1\r\nhost: a\r\n{many}\r\n").as_bytes())), 431);
    let fits: String = (0..90).map(|n| format!("x{n}: 1\r\n")).collect();
    let answer = host.send(format!("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{fits}\r\n").as_bytes());
    assert_eq!(status(&answer), 404);
    host.assert_alive();

    let host = common::host(|config| config.server.head_limit = 256 << 10);
    let long = format!("GET /{} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", "a".repeat(20 << 10));
    assert_eq!(status(&host.send(long.as_bytes())), 414);
    let longer = format!("GET /{} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", "a".repeat(70 << 10));
    assert_eq!(status(&host.send(longer.as_bytes())), 414);
}

/// Each of these ends a request in one reader's eyes and not in another's. One answer at most may follow that is not
/// the smuggled one's: the connection closes.
#[test]
fn no_request_is_smuggled_in_anothers_content() {
    let host = host(|_| {});
    let smuggled = "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
    let cases: &[(&str, &[u16])] = &[
        ("content-length: 4\r\ncontent-length: 5\r\n", &[400]),
        ("content-length: 4, 5\r\n", &[400]),
        ("content-length: +4\r\n", &[400]),
        ("content-length: -1\r\n", &[400]),
        ("content-length: 0x4\r\n", &[400]),
        ("content-length: 99999999999999999999\r\n", &[400]),
        ("transfer-encoding: chunked, identity\r\n", &[400]),
        ("transfer-encoding: xchunked\r\n", &[400]),
        ("transfer-encoding: gzip\r\n", &[400]),
        ("transfer-encoding: \x0bchunked\r\n", &[400]),
        ("transfer-encoding : chunked\r\n", &[400]),
    ];
    for (headers, expected) in cases {
        let answer = host.send(format!("POST / HTTP/1.1\r\nhost: a\r\n{headers}\r\n0\r\n\r\n{smuggled}").as_bytes());
        assert!(expected.contains(&status(&answer)), "{headers:?}: {answer:?}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{headers:?}: {answer:?}");
    }
    // Both lengths: transfer-encoding wins and nothing after it is believed (RFC 9112 §6.3).
    for headers in
        ["content-length: 4\r\ntransfer-encoding: chunked\r\n", "transfer-encoding: chunked\r\ncontent-length: 4\r\n"]
    {
        let answer = host.send(format!("POST / HTTP/1.1\r\nhost: a\r\n{headers}\r\n0\r\n\r\n{smuggled}").as_bytes());
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{headers:?}: {answer:?}");
    }
    // HTTP/1.0 has no chunks.
    let answer = host.send(b"POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n");
    assert_eq!(status(&answer), 400, "{answer:?}");
    host.assert_alive();
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let host = host(|_| {});
    let mut stream = host.connect();
    stream.write_all(b"GET /1 HTTP/1.1\r\nhost: a\r\n\r\nOPTIONS * HTTP/1.1\r\nhost: a\r\n\r\nGET /3 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
    let (answer, closed) = read(&mut stream);
    let statuses: Vec<&str> = answer.match_indices("HTTP/1.1 ").map(|(at, _)| &answer[at + 9..at + 12]).collect();
    assert_eq!(statuses, ["404", "204", "404"]);
    assert!(closed);
}

/// A few thousand broken heads, made from good ones by a fixed rule.
#[test]
fn mutated_requests_never_end_the_host() {
    let host = host(|_| {});
    let seeds: [&[u8]; 3] = [
        b"GET /a/b?c=d HTTP/1.1\r\nhost: example.com\r\naccept: */*\r\nconnection: keep-alive\r\n\r\n",
        b"POST /x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"PUT /y HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\nhello",
    ];
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % below as u64).unwrap()
    };
    for round in 0..1_500 {
        let mut bytes = seeds[round % seeds.len()].to_vec();
        for _ in 0..=next(4) {
            if bytes.len() < 2 {
                break;
            }
            let at = next(bytes.len());
            match next(4) {
                0 => bytes[at] = u8::try_from(next(256)).unwrap(),
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, b"\r\n\0 :%\xff/"[next(8)]),
                _ => bytes.truncate(at.max(1)),
            }
        }
        let mut stream = std::net::TcpStream::connect(host.server.http_addr()).unwrap();
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let (answer, _) = read(&mut stream);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1."),
            "{:?}: {answer:?}",
            String::from_utf8_lossy(&bytes)
        );
    }
    host.assert_alive();
}
