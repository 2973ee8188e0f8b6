//! `covet logs`: what a plugin wrote, with time and level.

use std::io::{BufRead, BufReader};

use serde_json::Value;

use crate::args::Logs;
use crate::commands::deploy::escape;
use crate::outcome::{Exit, Failure, Result};
use crate::output::{Output, timestamp};

pub fn run(args: &Logs, output: Output) -> Result<()> {
    let admin = args.target.connect()?;
    let follow = if args.follow { "&follow=1" } else { "" };
    let lines = admin.stream(&format!("/v1/plugins/{}/logs?tail={}{follow}", escape(&args.name), args.tail))?;
    for line in BufReader::new(lines).lines() {
        let line = line
            .map_err(|error| Failure::new(Exit::Unreachable, "unreachable", format!("the host went away: {error}")))?;
        let Ok(entry) = serde_json::from_str::<Value>(&line) else { continue };
        output.event(&entry, || told(&entry));
    }
    Ok(())
}

/// `2026-01-31T12:00:00.123Z  WARN  blog@3  posts: message`.
pub fn told(entry: &Value) -> String {
    let text = |key: &str| entry[key].as_str().unwrap_or_default();
    let generation = entry["generation"].as_u64().map(|generation| format!("@{generation}")).unwrap_or_default();
    let target = text("target");
    let colon = if target.is_empty() { "" } else { ": " };
    let level = text("level").to_uppercase();
    let time = entry["time"].as_u64().map(timestamp).unwrap_or_default();
    format!("{time:<24}  {level:<5}  {}{generation}  {target}{colon}{}", text("plugin"), text("message"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_time_level_plugin_target_and_message() {
        let entry = serde_json::json!({ "time": 0, "plugin": "blog", "generation": 3, "level": "warn", "target": "posts", "message": "slow" });
        assert_eq!(told(&entry), "1970-01-01T00:00:00.000Z  WARN   blog@3  posts: slow");
    }
}
