//! What was acknowledged survives `kill -9`; what was not is there whole or not at all.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test speaks by failing")]

use std::{collections::BTreeSet, sync::Mutex, time::Duration};

use covet_tests::{Host, plugin, wait_until};
use serde_json::json;

const WRITERS: i64 = 32;
const ROUNDS: u64 = 6;

#[test]
fn every_acknowledged_row_survives_kill_9_and_no_half_transaction_does() {
    let mut host = Host::start().unwrap();
    host.deploy("probe", &plugin("probe").unwrap(), Some("/")).unwrap();
    let acknowledged = Mutex::new(BTreeSet::new());
    for round in 0..ROUNDS {
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let client = host.client();
                let acknowledged = &acknowledged;
                scope.spawn(move || {
                    for step in 0.. {
                        // Every other write is a transaction of two rows that belong together: value and -value.
                        let value = 1 + step + writer * 1_000_000 + i64::try_from(round).unwrap() * 100_000_000;
                        let path = if step % 2 == 0 { "/rows" } else { "/transactions/pair" };
                        let Ok(answer) = client.post_json(path, &json!({ "name": "n", "value": value })) else {
                            return;
                        };
                        if answer.status() >= 300 {
                            panic!("{path}: {} {}", answer.status(), answer.text());
                        }
                        acknowledged.lock().unwrap().insert((value, step % 2 == 1));
                    }
                });
            }
            std::thread::sleep(Duration::from_millis(400 + 137 * round));
            covet_tests::kill9(host.pid());
        });
        host.kill9();
        host.restart().unwrap();
        assert!(wait_until(Duration::from_secs(20), || host
            .client()
            .get("/rows/count")
            .is_ok_and(|answer| answer.status() == 200)));

        let rows: Vec<i64> = host.client().get("/row-values").unwrap().expect_status(200).json_as().unwrap();
        let there: BTreeSet<i64> = rows.iter().copied().collect();
        assert_eq!(there.len(), rows.len(), "a row was stored twice");
        for (value, pair) in acknowledged.lock().unwrap().iter() {
            assert!(there.contains(value), "round {round}: the acknowledged row {value} is gone");
            assert!(!pair || there.contains(&-value), "round {round}: half of the acknowledged pair {value} is gone");
        }
        for value in &there {
            if *value < 0 {
                assert!(there.contains(&-value), "round {round}: half a transaction is there: {value}");
            }
        }
        assert!(acknowledged.lock().unwrap().len() > 32, "too few writes to prove anything");
    }
}
