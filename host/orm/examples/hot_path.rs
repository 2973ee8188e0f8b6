//! What a call costs before the database: `cargo run --release -p covet-orm --example hot_path`. Best of 20 rounds.

use std::hint::black_box;
use std::time::Instant;

use covet_orm::shape::{Comparison, FieldPath, Lookup, Node, Operand, Operation, Select, Shape};
use covet_orm::{QueryError, fuzzing};

fn best(name: &str, mut run: impl FnMut()) {
    const CALLS: u32 = 200_000;
    let nanoseconds = (0..20)
        .map(|_| {
            let start = Instant::now();
            (0..CALLS).for_each(|_| run());
            start.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
        })
        .fold(f64::MAX, f64::min);
    println!("{name:<40} {nanoseconds:>8.1} ns");
}

fn main() -> Result<(), QueryError> {
    let plans = fuzzing::plans();
    let node = Node::Compare(Comparison { left: FieldPath::of("id"), lookup: Lookup::Exact, right: Operand::Param(0) });
    let by_key = Shape {
        model: "Post".to_owned(),
        operation: Operation::Select(Select { filter: vec![node], ..Select::default() }),
        queries: Vec::new(),
    };
    let number = plans.prepare(&by_key)?;
    let plan = plans.get(number).ok_or_else(|| QueryError::BadQuery("the plan is gone".to_owned()))?;
    let params = [0x81, 0x19, 0x30, 0x39];
    best("plans.peek", || _ = black_box(plans.peek(black_box(number))));
    best("plans.get", || _ = black_box(plans.get(black_box(number))));
    best("bind, select by primary key", || _ = black_box(plan.bind(black_box(&params))));
    best("prepare, shape known", || _ = black_box(plans.prepare(black_box(&by_key))));
    Ok(())
}
