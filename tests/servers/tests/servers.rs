//! The servers themselves: they serve, they stay apart, they end.

#![allow(clippy::unwrap_used, reason = "a failed test is how it speaks")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use covet_test_servers::{Engine, Fault, MariaDb, Options, Postgres, Proxy, Redis, Server, Url};

fn listens(url: &Url) -> bool {
    TcpStream::connect(url.address().unwrap()).is_ok()
}

fn ends(url: &Url) -> bool {
    let started = Instant::now();
    while listens(url) {
        if started.elapsed() > Duration::from_secs(20) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

fn crash_and_start<E: Engine>(mut server: Server<E>) {
    let url = server.url().clone();
    assert!(listens(&url));
    server.crash().unwrap();
    assert!(!listens(&url));
    assert!(server.crash().is_err(), "it is dead");
    server.start().unwrap();
    assert!(listens(&url), "on the same port");
    server.stop().unwrap();
    assert!(!listens(&url));
    server.start().unwrap();
    drop(server);
    assert!(!listens(&url), "it ends with its owner");
}

#[test]
fn postgres_is_crashed_and_started_again() {
    crash_and_start(Postgres::private(&Options::durable()).unwrap());
}

#[test]
fn mariadb_is_crashed_and_started_again() {
    crash_and_start(MariaDb::private(&Options::durable()).unwrap());
}

#[test]
fn redis_is_crashed_and_started_again() {
    crash_and_start(Redis::private(&Options::durable()).unwrap());
}

#[test]
fn settings_reach_the_server_and_a_bad_one_is_told_from_its_log() {
    let error = MariaDb::private(&Options::fast().set("no-such-setting", "1")).err().unwrap().to_string();
    assert!(error.contains("unknown variable 'no-such-setting=1'"), "{error}");
    let error = Postgres::private(&Options::fast().set("max_connections", "many")).err().unwrap().to_string();
    assert!(error.contains("max_connections"), "{error}");
}

#[test]
fn each_test_has_a_database_of_its_own() {
    for (one, other) in [
        (Postgres::shared().unwrap().database().unwrap(), Postgres::shared().unwrap().database().unwrap()),
        (MariaDb::shared().unwrap().database().unwrap(), MariaDb::shared().unwrap().database().unwrap()),
        (Redis::shared().unwrap().database().unwrap(), Redis::shared().unwrap().database().unwrap()),
    ] {
        assert_ne!(one.url(), other.url());
        assert_eq!(one.parts().port, other.parts().port, "on one server");
        assert!(listens(one.parts()));
    }
    assert!(Redis::shared().unwrap().crash().is_err(), "which no test may stop");
}

/// What this test needs of a process that is killed: see `holds_a_server_until_it_is_killed`.
const CHILD: &str = "COVET_TEST_SERVERS_CHILD";

#[test]
fn servers_end_when_their_user_is_killed() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "holds_a_server_until_it_is_killed", "--nocapture"])
        .env(CHILD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let urls: Vec<Url> = lines.map(Result::unwrap).filter_map(|line| Url::parse(&line).ok()).take(2).collect();
    assert!(urls.len() == 2 && urls.iter().all(listens));
    // SIGKILL: nothing of it runs any more.
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(urls.iter().all(ends));
}

#[test]
fn holds_a_server_until_it_is_killed() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let (postgres, redis) = (Postgres::private(&Options::fast()).unwrap(), Redis::private(&Options::fast()).unwrap());
    println!("\n{}\n{}", postgres.url(), redis.url());
    let _waits = std::io::stdin().read_to_end(&mut Vec::new());
}

#[test]
fn one_server_serves_a_whole_run_and_ends_with_it() {
    let told = Command::new(env!("CARGO_BIN_EXE_covet-test-servers"))
        .args(["run", "sh", "-c", "echo $COVET_TEST_POSTGRES_URL $COVET_TEST_MYSQL_URL $COVET_TEST_REDIS_URL; exit 7"])
        .output()
        .unwrap();
    assert_eq!(told.status.code(), Some(7), "{}", String::from_utf8_lossy(&told.stderr));
    let text = String::from_utf8(told.stdout).unwrap();
    let urls: Vec<Url> = text.split_whitespace().map(|url| Url::parse(url).unwrap()).collect();
    let schemes: Vec<&str> = urls.iter().map(|url| url.scheme.as_str()).collect();
    assert_eq!(schemes, ["postgres", "mysql", "redis"]);
    assert!(!urls.iter().any(listens), "ended before the answer");
}

#[test]
fn the_proxy_stalls_delays_cuts_and_refuses() {
    let redis = Redis::private(&Options::fast()).unwrap();
    let proxy = Proxy::before(redis.url()).unwrap();
    let connect = || {
        let stream = TcpStream::connect(proxy.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        stream
    };
    // Without a password Redis says NOAUTH: an answer as good as any.
    let asked = |mut stream: &TcpStream| {
        stream.write_all(b"PING\r\n").unwrap();
        let mut answer = [0; 7];
        stream.read_exact(&mut answer).map(|()| answer)
    };
    let stream = connect();
    assert_eq!(&asked(&stream).unwrap(), b"-NOAUTH");
    let rest = |mut stream: &TcpStream| stream.read(&mut [0; 256]);
    rest(&stream).unwrap();

    proxy.set(Fault::StallAnswers);
    assert!(asked(&stream).is_err(), "no answer comes");
    proxy.set(Fault::None);
    let mut late = [0; 7];
    (&stream).read_exact(&mut late).unwrap();
    assert_eq!(&late, b"-NOAUTH", "it waited and was not lost");

    proxy.set(Fault::Delay(Duration::from_millis(50)));
    let (started, slow) = (Instant::now(), connect());
    asked(&slow).unwrap();
    assert!(started.elapsed() >= Duration::from_millis(100), "50 ms there, 50 ms back");
    rest(&slow).unwrap();

    proxy.set(Fault::Refuse);
    assert!(asked(&connect()).is_err());
    assert_eq!(proxy.cut(), 2);
    proxy.set(Fault::None);
    assert!(matches!(rest(&slow), Ok(0)), "hung up");
    assert_eq!(&asked(&connect()).unwrap(), b"-NOAUTH");
    assert_eq!(proxy.accepted(), 3);
}
