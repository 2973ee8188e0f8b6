//! Connections: how long they may be silent, how many there may be, how they end.
#![allow(clippy::unwrap_used, reason = "a failed test is how it speaks")]

mod common;

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use common::{connect, host, read, status};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_head_that_does_not_end_gets_408_and_is_closed() {
    let host = host(|config| config.server.header_timeout = Duration::from_millis(300));
    let began = Instant::now();
    let mut stream = host.connect();
    // A byte now and then does not help.
    for byte in b"GET / HTT" {
        if stream.write_all(&[*byte]).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(60));
    }
    stream.set_read_timeout(Some(2 * SECOND)).unwrap();
    let (answer, closed) = read(&mut stream);
    assert!(closed && (answer.is_empty() || status(&answer) == 408), "{answer:?}");
    assert!(began.elapsed() < 3 * SECOND);

    let mut second = host.connect();
    second.write_all(b"GET /nobody HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    assert_eq!(status(&read(&mut second).0), 404);
    second.write_all(b"GET /nobody HTTP/1.1\r\nho").unwrap();
    second.set_read_timeout(Some(2 * SECOND)).unwrap();
    let (answer, closed) = read(&mut second);
    assert!(closed && status(&answer) == 408, "also the second head of a connection: {answer:?}");
}

#[test]
fn an_idle_connection_is_closed_and_a_busy_one_is_not() {
    let host = host(|config| config.server.idle_timeout = Duration::from_millis(400));
    let mut silent = host.connect();
    let mut once = host.connect();
    let mut busy = host.connect();
    once.write_all(b"GET /nobody HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    let began = Instant::now();
    while began.elapsed() < SECOND {
        busy.write_all(b"GET /nobody HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
        let mut buffer = [0; 4096];
        assert!(busy.read(&mut buffer).unwrap() > 0, "a connection in use stays");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(read(&mut silent).1, "never used: closed");
    assert!(read(&mut once).1, "used once: closed");
}

#[test]
fn past_the_limit_connections_wait_for_a_seat() {
    let host = host(|config| {
        config.server.workers = 1;
        config.server.max_connections = 2;
    });
    let first = host.connect();
    let second = host.connect();
    // Wait until both are accepted.
    std::thread::sleep(Duration::from_millis(100));
    let mut third = host.connect();
    third.write_all(b"GET /nobody HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    assert_eq!(read(&mut third).0, "", "it waits in the kernel");
    drop(first);
    assert_eq!(status(&read(&mut third).0), 404, "and is served when somebody leaves");
    drop(second);
}

#[test]
fn ten_thousand_idle_connections_cost_little_and_hinder_nobody() {
    let limit = file_limit();
    // Both ends are in this process.
    let count = 10_000.min((limit.saturating_sub(500) / 2) as usize);
    let host = host(|_| {});
    let before = resident();
    let mut held: Vec<TcpStream> = Vec::with_capacity(count);
    for _ in 0..count {
        held.push(TcpStream::connect(host.server.http_addr()).unwrap());
    }
    // Half of them have made a request: those hold hyper's buffers.
    for stream in held.iter_mut().take(count / 2) {
        stream.write_all(b"GET /nobody HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    }
    for stream in held.iter_mut().take(count / 2) {
        let mut buffer = [0; 1024];
        assert!(stream.read(&mut buffer).unwrap() > 0);
    }
    host.assert_alive();
    let each = resident().saturating_sub(before) / count.max(1);
    assert!(each < 32 << 10, "{each} bytes for each of {count} idle connections");
    println!("{count} idle connections, {each} bytes each");
}

#[test]
fn shutdown_closes_idle_connections_and_frees_the_port() {
    let host = host(|_| {});
    let address = host.server.http_addr();
    let mut idle = host.connect();
    let mut used = host.connect();
    used.write_all(b"GET /nobody HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    assert_eq!(status(&read(&mut used).0), 404);
    let began = Instant::now();
    host.server.shutdown();
    host.server.wait();
    assert!(began.elapsed() < SECOND, "nobody was waited for: {:?}", began.elapsed());
    assert!(read(&mut idle).1 && read(&mut used).1);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_host_comes_back_on_its_address_and_state() {
    let state = tempfile::tempdir().unwrap();
    let first = covet_server::Server::start(common::config(state.path(), |_| {})).unwrap();
    let address = first.http_addr();
    let second = covet_server::Server::start(common::config(state.path(), |_| {}));
    assert!(second.unwrap_err().to_string().contains("another host"), "one host a state directory");
    let taken = covet_server::Server::start(common::config(&state.path().join("other"), |config| {
        config.server.listen = address
    }));
    assert!(taken.unwrap_err().to_string().contains(&address.to_string()), "one host a port");
    drop(first);
    let again =
        covet_server::Server::start(common::config(state.path(), |config| config.server.listen = address)).unwrap();
    let answer = common::exchange(address, b"GET /nobody HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    assert_eq!(status(&answer), 404);
    drop(again);
}

#[test]
fn http2_is_spoken_to_who_begins_with_its_preface() {
    let host = host(|_| {});
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(host.server.http_addr()).await.unwrap();
        let io = hyper_util::rt::TokioIo::new(stream);
        let executor = hyper_util::rt::TokioExecutor::new();
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake::<_, _, http_body_util::Empty<bytes::Bytes>>(executor, io)
                .await
                .unwrap();
        tokio::spawn(connection);
        let ask = |method: &str, path: &str| {
            let uri = format!("http://example.com{path}");
            http::Request::builder().method(method).uri(uri).body(http_body_util::Empty::new()).unwrap()
        };
        // Several at once on one connection.
        let (a, b, c) = tokio::join!(
            sender.clone().send_request(ask("GET", "/nobody")),
            sender.clone().send_request(ask("GET", "/../x")),
            sender.send_request(ask("HEAD", "/nobody")),
        );
        assert_eq!(a.unwrap().status(), 404);
        assert_eq!(b.unwrap().status(), 400);
        let head = c.unwrap();
        assert_eq!(head.status(), 404);
        assert!(head.headers()["content-length"].to_str().unwrap() != "0");
    });
}

#[test]
fn a_peer_that_goes_away_in_the_middle_of_a_head_is_forgotten() {
    let host = host(|_| {});
    for cut in [1, 5, 20] {
        let mut stream = connect(host.server.http_addr());
        stream.write_all(&b"GET /nobody HTTP/1.1\r\nhost: a\r\n\r\n"[..cut]).unwrap();
    }
    host.assert_alive();
}

/// Resident bytes of this process.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// Open files that this process may have, raised as far as it goes.
fn file_limit() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid place for the answer, and a valid limit afterwards.
    unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
    }
    limit.rlim_cur
}

#[test]
fn a_client_that_is_refused_in_the_middle_of_an_upload_reads_why() {
    let host = host(|_| {});
    for round in 0..20 {
        let mut stream = connect(host.server.admin_addr());
        stream.write_all(b"PUT /v1/plugins/blog HTTP/1.1\r\nhost: admin\r\ncontent-length: 4194304\r\n\r\n").unwrap();
        for _ in 0..64 {
            stream.write_all(&[0; 64 << 10]).expect("reset before the upload was through");
        }
        let (answer, closed) = read(&mut stream);
        assert_eq!(status(&answer), 401, "round {round}: {answer}");
        assert!(closed, "round {round}: nobody may go on after an upload that was refused");
    }
}
