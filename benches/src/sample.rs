//! Medians and percentiles. Nothing clever: the figures are read by people.

use std::hint::black_box;
use std::time::Instant;

use anyhow::Result;

/// The middle value; of an even number of them the mean of the two in the middle. NaN for none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    match n {
        0 => f64::NAN,
        _ if n % 2 == 1 => sorted[n / 2],
        _ => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
    }
}

/// Nearest-rank percentile, `p` in 0..=100. NaN for none.
pub fn percentile(values: &[f64], p: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    if sorted.is_empty() {
        return f64::NAN;
    }
    let rank = (p / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

/// What one side of a comparison gathered over all rounds.
#[derive(Debug, Default, Clone)]
pub struct Series {
    /// One figure a round.
    pub rounds: Vec<f64>,
    /// Finer samples (means of batches) of all rounds, for the percentiles.
    pub samples: Vec<f64>,
}

impl Series {
    /// A round given as means of equal batches; its figure is their mean.
    pub fn push_batches(&mut self, batches: &[f64]) {
        self.rounds.push(batches.iter().sum::<f64>() / batches.len().max(1) as f64);
        self.samples.extend_from_slice(batches);
    }

    /// The same for work that only computes: the round's figure is the median batch, so that the moments when this thread
    /// did not run at all do not count. Not for writes: there, waiting is the work.
    pub fn push_computing(&mut self, batches: &[f64]) {
        self.rounds.push(median(batches));
        self.samples.extend_from_slice(batches);
    }

    pub fn median(&self) -> f64 {
        median(&self.rounds)
    }
}

/// Runs `op` `n` times in batches of `batch`; returns each batch's mean in nanoseconds. `op` gets the running number.
pub fn timed(n: u64, batch: u64, mut op: impl FnMut(u64) -> Result<u64>) -> Result<Vec<f64>> {
    let batch = batch.clamp(1, n.max(1));
    let mut batches = Vec::with_capacity((n / batch) as usize);
    let mut number = 0;
    while number + batch <= n {
        let start = Instant::now();
        for _ in 0..batch {
            black_box(op(black_box(number))?);
            number += 1;
        }
        batches.push(start.elapsed().as_nanos() as f64 / batch as f64);
    }
    Ok(batches)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_is_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn percentile_is_a_value_that_was_measured() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(percentile(&values, 50.0), 50.0);
        assert_eq!(percentile(&values, 99.0), 99.0);
        assert_eq!(percentile(&values, 100.0), 100.0);
        assert_eq!(percentile(&[7.0], 1.0), 7.0);
    }

    #[test]
    fn timed_runs_whole_batches() {
        let mut calls = 0;
        let batches = timed(10, 3, |_| {
            calls += 1;
            Ok(0)
        })
        .unwrap();
        assert_eq!((batches.len(), calls), (3, 9));
    }
}
