//! What plugins log: the last lines of each, and who follows them.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use covet_runtime::{Level, LogSink};
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::broadcast;

use crate::config::LogConfig;

/// Lines that a slow follower may be behind before it loses some.
const FOLLOW_BACKLOG: usize = 1_024;

/// One line.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub time: u64,
    pub plugin: String,
    pub generation: u64,
    pub level: Level,
    pub target: String,
    pub message: String,
}

/// All plugins' lines. Bounded by lines and by bytes for each plugin.
pub struct Logs {
    config: LogConfig,
    plugins: Mutex<HashMap<Arc<str>, Ring>>,
}

struct Ring {
    lines: VecDeque<Arc<Line>>,
    bytes: usize,
    /// None once the host shuts down.
    followers: Option<broadcast::Sender<Arc<Line>>>,
}

impl Default for Ring {
    fn default() -> Self {
        Ring { lines: VecDeque::new(), bytes: 0, followers: Some(broadcast::channel(FOLLOW_BACKLOG).0) }
    }
}

impl Logs {
    pub fn new(config: LogConfig) -> Logs {
        Logs { config, plugins: Mutex::default() }
    }

    /// Ends everybody's following: the host shuts down.
    pub fn close(&self) {
        for ring in self.plugins.lock().values_mut() {
            ring.followers = None;
        }
    }

    /// The last `count` lines, oldest first, and a receiver for those to come, with no gap between.
    pub fn tail(&self, plugin: &str, count: usize) -> (Vec<Arc<Line>>, Option<broadcast::Receiver<Arc<Line>>>) {
        let mut plugins = self.plugins.lock();
        let ring = plugins.entry(plugin.into()).or_default();
        let skip = ring.lines.len().saturating_sub(count);
        (ring.lines.iter().skip(skip).cloned().collect(), ring.followers.as_ref().map(broadcast::Sender::subscribe))
    }
}

impl LogSink for Logs {
    fn write(&self, plugin: &str, generation: u64, level: Level, target: &str, message: &str) {
        if level < self.config.level {
            return;
        }
        match level {
            Level::Error => tracing::error!(target: "plugin", plugin, generation, from = target, "{message}"),
            Level::Warn => tracing::warn!(target: "plugin", plugin, generation, from = target, "{message}"),
            Level::Info => tracing::info!(target: "plugin", plugin, generation, from = target, "{message}"),
            Level::Debug => tracing::debug!(target: "plugin", plugin, generation, from = target, "{message}"),
            Level::Trace => tracing::trace!(target: "plugin", plugin, generation, from = target, "{message}"),
        }
        let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_millis() as u64);
        let mut plugins = self.plugins.lock();
        if !plugins.contains_key(plugin) {
            plugins.insert(plugin.into(), Ring::default());
        }
        let Some(ring) = plugins.get_mut(plugin) else { return };
        let line = Arc::new(Line {
            time,
            plugin: plugin.to_owned(),
            generation,
            level,
            target: target.to_owned(),
            message: message.to_owned(),
        });
        ring.bytes += size(&line);
        ring.lines.push_back(Arc::clone(&line));
        while ring.lines.len() > self.config.lines || (ring.bytes > self.config.bytes && ring.lines.len() > 1) {
            let Some(oldest) = ring.lines.pop_front() else { break };
            ring.bytes -= size(&oldest);
        }
        // No followers is no fault.
        if let Some(followers) = &ring.followers {
            let _ = followers.send(line);
        }
    }

    fn enabled(&self) -> Level {
        self.config.level
    }
}

fn size(line: &Line) -> usize {
    line.message.len() + line.target.len() + 64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logs() -> Logs {
        Logs::new(LogConfig { lines: 3, bytes: 1_000, ..LogConfig::default() })
    }

    #[test]
    fn the_newest_lines_are_kept_within_both_bounds() {
        let logs = logs();
        for n in 0..10 {
            logs.write("blog", 1, Level::Info, "t", &format!("line {n}"));
        }
        let (lines, _) = logs.tail("blog", 2);
        assert_eq!(lines.iter().map(|line| line.message.as_str()).collect::<Vec<_>>(), ["line 8", "line 9"]);
        assert_eq!(logs.tail("blog", 100).0.len(), 3);
        logs.write("blog", 1, Level::Info, "t", &"x".repeat(5_000));
        assert_eq!(logs.tail("blog", 100).0.len(), 1, "one line past the bound stays, alone");
    }

    #[test]
    fn what_lies_below_the_level_is_not_kept_and_plugins_do_not_mix() {
        let logs = logs();
        logs.write("blog", 1, Level::Debug, "", "quiet");
        logs.write("shop", 1, Level::Warn, "", "loud");
        assert!(logs.tail("blog", 9).0.is_empty());
        assert_eq!(logs.tail("shop", 9).0.len(), 1);
    }

    #[test]
    fn a_follower_misses_nothing_after_the_tail_and_is_let_go_at_the_end() {
        let logs = logs();
        logs.write("blog", 1, Level::Info, "", "before");
        let (lines, follower) = logs.tail("blog", 10);
        let mut follower = follower.unwrap();
        logs.write("blog", 2, Level::Error, "pages", "after");
        assert_eq!(lines.len(), 1);
        assert_eq!(follower.try_recv().unwrap().message, "after");
        logs.close();
        assert!(matches!(follower.try_recv(), Err(broadcast::error::TryRecvError::Closed)));
    }
}
