//! One plugin, three databases: it knows none of them, and what visitors see is the same byte for byte.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test speaks by failing")]

use covet_test_servers::{MariaDb, Postgres};
use covet_tests::{Host, checkout, example};

const TOKEN: &str = "token-of-this-test";

/// Pages and answers of the flights example: home, search with wildcards and other cases, airports with many routes, with
/// none, and unknown ones.
const PATHS: [&str; 16] = [
    "/",
    "/search?q=san",
    "/search?q=SAN+F",
    "/search?q=%25",
    "/search?q=o%27hare",
    "/search?q=",
    "/airports/ORD",
    "/airports/sfo",
    "/airports/ANC",
    "/airports/XXX",
    "/api/airports?q=new&limit=50",
    "/api/airports/JFK",
    "/api/airports/nowhere",
    "/api/airports/ATL/routes",
    "/api/routes/busiest?limit=500",
    "/api/routes/busiest?limit=1",
];

/// A host with the flights example and all of its data in the database at `url`, and what it answers to each path.
fn pages(url: &str) -> Vec<(u16, Vec<u8>)> {
    let toml = format!(
        "[databases.default]\nurl = {{ env = \"DATABASE_URL\" }}\npool = {{ min_size = 0, max_size = 4 }}\n\
         [plugins.flights.config]\nload_token = \"{TOKEN}\"\n\
         [plugins.flights.limits]\ndeadline = \"5m\"\ncpu = \"1m\"\ntransaction = \"5m\"\n"
    );
    let host = Host::options().config(&toml).env("DATABASE_URL", url).start().unwrap();
    host.deploy("flights", &example("flights").unwrap(), Some("/")).unwrap();
    let client = host.client().with_header("authorization", &format!("Bearer {TOKEN}"));
    let mut answers = Vec::new();
    // Twice: the second time finds every row there.
    for _ in 0..2 {
        for (path, file) in [("/load/airports", "airports.csv"), ("/load/routes", "flights-airport.csv")] {
            let csv = std::fs::read(checkout().join("examples/flights/data").join(file)).unwrap();
            let report = client.send("POST", path, Some("text/csv"), &csv).unwrap().expect_status(200);
            answers.push((report.status(), report.body().to_vec()));
        }
    }
    answers.extend(PATHS.iter().map(|path| {
        let answer = host.client().get(path).unwrap();
        (answer.status(), answer.body().to_vec())
    }));
    answers
}

#[test]
fn flights_shows_the_same_pages_on_each_database() {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = pages(&format!("sqlite://{}", folder.path().join("flights.db").display()));
    let home = String::from_utf8_lossy(&sqlite[4].1).into_owned();
    assert!(home.contains("3,376 airports, 5,366 routes"), "{home}");
    assert!(sqlite.iter().filter(|(status, _)| *status == 200).count() >= PATHS.len(), "{sqlite:?}");
    let postgres = Postgres::shared().unwrap().database().unwrap();
    let mariadb = MariaDb::shared().unwrap().database().unwrap();
    for (name, url) in [("PostgreSQL", postgres.url()), ("MariaDB", mariadb.url())] {
        for (at, (answer, wanted)) in pages(&url).iter().zip(&sqlite).enumerate() {
            let path = at.checked_sub(4).map_or("a load", |at| PATHS[at]);
            let text = |(status, body): &(u16, Vec<u8>)| format!("{status} {}", String::from_utf8_lossy(body));
            assert!(
                answer == wanted,
                "{path} on {name}:\n{:.3000}\nand on SQLite:\n{:.3000}",
                text(answer),
                text(wanted)
            );
        }
    }
}

#[test]
fn a_database_that_is_down_stops_no_start_and_says_so_at_deploy() {
    // Nobody listens on port 9 of this machine.
    let toml = "[databases.default]\nurl = \"postgres://covet:hunter2@127.0.0.1:9/none\"\n";
    let host = Host::options().config(toml).start().unwrap();
    let answer = host.try_deploy("flights", &example("flights").unwrap(), Some("/")).unwrap();
    assert!(answer.status() >= 400, "{}", answer.text());
    assert!(!answer.text().contains("hunter2") && !host.host_log().contains("hunter2"), "{}", answer.text());
}
