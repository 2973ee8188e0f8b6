//! Random questions about random rows, answered by each database through the planner and by an evaluator that knows neither
//! SQL nor the planner: filters with nulls and negations, relations, orders, slices, projections.
//!
//! A round is a set of rows and several shapes, each asked with several sets of parameters. A round that fails is kept in
//! `seeds.txt` and runs first from then on; `COVET_DIFFERENTIAL_SEED=7` runs another row of rounds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test is how it speaks")]

#[path = "../common/mod.rs"]
mod common;
mod data;
mod evaluate;
mod question;
mod random;

use std::io::Write;
use std::path::PathBuf;

use common::{Blog, Engine, Item};
use covet_orm::shape::Operation;
use data::Rows;
use futures::future::join_all;
use question::Question;
use random::Random;

const ROUNDS: u64 = 10;
const SHAPES: usize = 125;
const CALLS: usize = 8;

fn seeds_file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/differential/seeds.txt")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_random_questions_have_one_answer() {
    let mut blogs = Vec::new();
    for engine in Engine::ALL {
        blogs.push((engine, Blog::on(engine, data::models()).await));
    }
    let kept = std::fs::read_to_string(seeds_file()).unwrap_or_default();
    let first = std::env::var("COVET_DIFFERENTIAL_SEED").map_or(1, |seed| seed.parse().unwrap());
    let seeds = kept.lines().map(|line| line.parse().unwrap()).chain(first..first + ROUNDS);
    for seed in seeds {
        if let Err(fault) = round(seed, &blogs).await {
            if !kept.lines().any(|line| line == seed.to_string()) {
                let mut file = std::fs::OpenOptions::new().create(true).append(true).open(seeds_file()).unwrap();
                writeln!(file, "{seed}").unwrap();
            }
            panic!("round {seed}: {fault}");
        }
    }
}

async fn round(seed: u64, blogs: &[(Engine, Blog)]) -> Result<(), String> {
    let mut random = Random::new(seed);
    let rows = Rows::random(&mut random);
    for (_, blog) in blogs {
        for model in ["Post", "Author", "Country"] {
            blog.run(model, Operation::Delete(vec![]), vec![]).await;
        }
        rows.store(blog).await;
    }
    for _ in 0..SHAPES {
        let question = Question::random(&mut random);
        let calls: Vec<Vec<question::Given>> = (0..CALLS)
            .map(|_| question.params.iter().map(|param| param.random(&mut random, &rows)).collect())
            .collect();
        let wanted: Vec<evaluate::Answer> =
            calls.iter().map(|given| evaluate::answer(&rows, &question, given)).collect();
        let asked = blogs.iter().map(async |(engine, blog)| {
            let plan = blog.plan(question.model, question.operation());
            let answers = calls.iter().map(async |given| {
                let params: Vec<Item> = given.iter().map(question::Given::item).collect();
                let answer = blog.ask(&plan, &params).await;
                (params, answer)
            });
            for ((params, answer), wanted) in join_all(answers).await.into_iter().zip(&wanted) {
                if !answer.as_ref().is_ok_and(|answer| wanted.agrees(answer)) {
                    return Err(format!(
                        "{engine:?} answers {answer:?}\nwanted {wanted:?}\nto {}\nwith {params:?}\nof {question:?}",
                        plan.sql()
                    ));
                }
            }
            Ok(())
        });
        for asked in join_all(asked).await {
            asked?;
        }
    }
    Ok(())
}
