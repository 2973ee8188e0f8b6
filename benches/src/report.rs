//! Rows, the table on the terminal and the JSON beside it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::sample::{Series, percentile};

/// One claim a row has to meet.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    /// `value / baseline_value` at least.
    RatioAtLeast(f64),
    /// `value / baseline_value` at most.
    RatioAtMost(f64),
    /// `value` at most, in the row's unit.
    AtMost(f64),
}

impl Target {
    fn met(self, value: f64, ratio: Option<f64>) -> bool {
        match self {
            Target::RatioAtLeast(limit) => ratio.is_some_and(|r| r >= limit),
            Target::RatioAtMost(limit) => ratio.is_some_and(|r| r <= limit),
            Target::AtMost(limit) => value <= limit,
        }
    }

    fn text(self) -> String {
        match self {
            Target::RatioAtLeast(limit) => format!("≥ {limit} ×"),
            Target::RatioAtMost(limit) => format!("≤ {limit} ×"),
            Target::AtMost(limit) => format!("≤ {}", figure(limit)),
        }
    }
}

/// One line of the table. `extra` fields (such as `cpu_us`) stand beside the others in the JSON.
#[derive(Debug, Serialize)]
pub struct Row {
    pub name: String,
    pub unit: &'static str,
    pub value: f64,
    pub p50: Option<f64>,
    pub p95: Option<f64>,
    pub p99: Option<f64>,
    pub baseline: Option<String>,
    pub baseline_value: Option<f64>,
    pub ratio: Option<f64>,
    pub target: Option<String>,
    pub met: Option<bool>,
    #[serde(flatten)]
    pub extra: BTreeMap<&'static str, f64>,
}

impl Row {
    pub fn new(name: impl Into<String>, unit: &'static str, value: f64) -> Row {
        Row {
            name: name.into(),
            unit,
            value,
            p50: None,
            p95: None,
            p99: None,
            baseline: None,
            baseline_value: None,
            ratio: None,
            target: None,
            met: None,
            extra: BTreeMap::new(),
        }
    }

    /// A row of two interleaved series, in nanoseconds, shown in microseconds.
    pub fn compare_us(name: impl Into<String>, ours: &Series, baseline: &str, theirs: &Series) -> Row {
        let us = 1e-3;
        let mut row = Row::new(name, "µs", ours.median() * us)
            .percentiles(
                percentile(&ours.samples, 50.0) * us,
                percentile(&ours.samples, 95.0) * us,
                percentile(&ours.samples, 99.0) * us,
            )
            .against(baseline, theirs.median() * us);
        row.extra.insert("baseline_p50", percentile(&theirs.samples, 50.0) * us);
        row.extra.insert("baseline_p99", percentile(&theirs.samples, 99.0) * us);
        row
    }

    pub fn percentiles(mut self, p50: f64, p95: f64, p99: f64) -> Row {
        (self.p50, self.p95, self.p99) = (Some(p50), Some(p95), Some(p99));
        self
    }

    pub fn against(mut self, baseline: impl Into<String>, value: f64) -> Row {
        self.baseline = Some(baseline.into());
        self.baseline_value = Some(value);
        self.ratio = Some(self.value / value);
        self
    }

    pub fn extra(mut self, name: &'static str, value: f64) -> Row {
        self.extra.insert(name, value);
        self
    }

    /// All of `targets` must hold. Call after [`Row::against`].
    pub fn target(mut self, targets: &[Target]) -> Row {
        self.target = Some(targets.iter().map(|t| t.text()).collect::<Vec<_>>().join(" and "));
        self.met = Some(targets.iter().all(|t| t.met(self.value, self.ratio)));
        self
    }
}

#[derive(Debug, Serialize)]
pub struct Machine {
    pub cpu: String,
    pub cores: usize,
}

impl Machine {
    fn this() -> Machine {
        let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cpu = info
            .lines()
            .find_map(|l| l.strip_prefix("model name"))
            .and_then(|l| l.split_once(':'))
            .map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned());
        Machine { cpu, cores: std::thread::available_parallelism().map_or(1, usize::from) }
    }
}

#[derive(Debug, Serialize)]
pub struct Group {
    pub group: &'static str,
    pub machine: Machine,
    pub rows: Vec<Row>,
}

impl Group {
    pub fn new(group: &'static str, rows: Vec<Row>) -> Group {
        Group { group, machine: Machine::this(), rows }
    }

    /// Rows whose target is not met.
    pub fn missed(&self) -> usize {
        self.rows.iter().filter(|r| r.met == Some(false)).count()
    }

    /// Writes `GROUP.json` under `dir` and returns its path.
    pub fn save(&self, dir: &Path) -> Result<PathBuf> {
        std::fs::create_dir_all(dir)?;
        let file = dir.join(format!("{}.json", self.group));
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        std::fs::write(&file, text).with_context(|| format!("write {}", file.display()))?;
        Ok(file)
    }

    pub fn table(&self) -> String {
        const HEAD: [&str; 11] =
            ["row", "unit", "value", "p50", "p95", "p99", "CPU µs", "baseline", "its value", "ratio", "target"];
        let mut lines: Vec<[String; 11]> = vec![HEAD.map(str::to_owned)];
        for row in &self.rows {
            let verdict = match row.met {
                Some(true) => " ✓",
                Some(false) => " ✗ MISSED",
                None => "",
            };
            lines.push([
                row.name.clone(),
                row.unit.to_owned(),
                figure(row.value),
                optional(row.p50),
                optional(row.p95),
                optional(row.p99),
                optional(row.extra.get("cpu_us").copied()),
                row.baseline.clone().unwrap_or_default(),
                optional(row.baseline_value),
                row.ratio.map_or_else(String::new, |r| format!("{r:.3}")),
                row.target.as_ref().map_or_else(String::new, |t| format!("{t}{verdict}")),
            ]);
        }
        let mut widths = [0usize; 11];
        for line in &lines {
            for (width, cell) in widths.iter_mut().zip(line) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut out = format!("{} ({}, {} cores)\n", self.group, self.machine.cpu, self.machine.cores);
        for line in &lines {
            for (column, (cell, width)) in line.iter().zip(widths).enumerate() {
                let pad = " ".repeat(width - cell.chars().count());
                // Words to the left, figures to the right.
                let _ = if matches!(column, 0 | 1 | 7 | 10) {
                    write!(out, "{cell}{pad}  ")
                } else {
                    write!(out, "{pad}{cell}  ")
                };
            }
            out.truncate(out.trim_end().len());
            out.push('\n');
        }
        out.push('\n');
        out
    }
}

fn optional(value: Option<f64>) -> String {
    value.map_or_else(String::new, figure)
}

/// About three significant digits, no exponent.
fn figure(value: f64) -> String {
    match value.abs() {
        v if v >= 1000.0 || v == v.trunc() => format!("{value:.0}"),
        v if v >= 100.0 => format!("{value:.1}"),
        v if v >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_of_a_row_must_hold() {
        let row = |value| Row::new("x", "µs", value).against("y", 2.0);
        let targets = [Target::RatioAtMost(1.6), Target::AtMost(3.0)];
        assert_eq!(row(2.9).target(&targets).met, Some(true));
        assert_eq!(row(3.1).target(&targets).met, Some(false));
        assert_eq!(row(3.0).target(&[Target::RatioAtLeast(2.0)]).met, Some(false));
    }

    #[test]
    fn json_has_the_documented_fields() {
        let group = Group::new("demo", vec![Row::new("x", "µs", 1.0).extra("cpu_us", 2.0)]);
        let json: serde_json::Value = serde_json::to_value(&group).unwrap();
        for key in [
            "name",
            "unit",
            "value",
            "p50",
            "p95",
            "p99",
            "baseline",
            "baseline_value",
            "ratio",
            "target",
            "met",
            "cpu_us",
        ] {
            assert!(json["rows"][0].get(key).is_some(), "{key}");
        }
        assert!(json["machine"]["cores"].as_u64().unwrap() > 0);
    }
}
