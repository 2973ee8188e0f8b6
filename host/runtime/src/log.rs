//! A plugin's log: volume limit, cutting, and the lines it prints.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::{clock::Clock, error::HandleError, limits::Limits, services::Level};

/// Bytes of one entry that are kept.
pub const MAX_ENTRY: usize = 16 << 10;

/// Target of what the host itself says about a plugin.
pub(crate) const HOST: &str = "covet";

/// Target under which an SDK announces a panic, just before it traps.
pub(crate) const PANIC: &str = "panic";

/// The log of one generation.
pub(crate) struct Log {
    pub plugin: String,
    pub generation: u64,
    sink: std::sync::Arc<dyn crate::services::LogSink>,
    clock: Clock,
    per_second: u64,
    /// Which second it is, what went through in it, and how many lines did not.
    second: AtomicU64,
    bytes: AtomicU64,
    dropped: AtomicU64,
    /// All lines ever dropped.
    pub dropped_total: AtomicU64,
}

impl Log {
    pub fn new(
        plugin: &str,
        generation: u64,
        sink: std::sync::Arc<dyn crate::services::LogSink>,
        clock: Clock,
        limits: &Limits,
    ) -> Log {
        Log {
            plugin: plugin.into(),
            generation,
            sink,
            clock,
            per_second: limits.log_bytes_per_second,
            second: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            dropped_total: AtomicU64::new(0),
        }
    }

    pub fn enabled(&self) -> Level {
        self.sink.enabled()
    }

    /// A line of the guest's, within its volume.
    pub fn guest(&self, level: Level, target: &str, message: &str) {
        if level < self.sink.enabled() {
            return;
        }
        let message = cut(message);
        if self.admit(message.len() + target.len()) {
            self.sink.write(&self.plugin, self.generation, level, cut(target), message);
        }
    }

    /// A line about the guest: always kept.
    pub fn host(&self, level: Level, message: &str) {
        self.sink.write(&self.plugin, self.generation, level, HOST, message);
    }

    /// Says what became of a request, once, under the plugin's name.
    pub fn fault(&self, error: &HandleError, handler: &str) {
        let mut text = format!("{handler}: {error}");
        if let HandleError::Trap { backtrace, .. } = error {
            for frame in backtrace {
                text.push_str("\n    at ");
                text.push_str(frame);
            }
        }
        self.host(Level::Error, &text);
    }

    /// Races between threads let a line too many or too few through at the turn of a second; nobody minds.
    fn admit(&self, bytes: usize) -> bool {
        let second = self.clock.micros() / 1_000_000;
        if self.second.swap(second, Relaxed) != second {
            self.bytes.store(0, Relaxed);
            let dropped = self.dropped.swap(0, Relaxed);
            if dropped > 0 {
                self.host(Level::Warn, &format!("{dropped} lines of log were dropped: {}", self.volume()));
            }
        }
        if self.bytes.fetch_add(bytes as u64, Relaxed) < self.per_second {
            return true;
        }
        self.dropped_total.fetch_add(1, Relaxed);
        if self.dropped.fetch_add(1, Relaxed) == 0 {
            self.host(Level::Warn, &format!("lines of log are being dropped: {}", self.volume()));
        }
        false
    }

    fn volume(&self) -> String {
        format!(
            "the plugin logs more than {} bytes a second; log less or raise limits.log_bytes_per_second",
            self.per_second
        )
    }
}

/// The first [`MAX_ENTRY`] bytes, whole characters.
fn cut(text: &str) -> &str {
    let mut end = text.len().min(MAX_ENTRY);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_cut_between_characters() {
        assert_eq!(cut("abc"), "abc");
        let long = "é".repeat(MAX_ENTRY);
        assert_eq!(cut(&format!("x{long}")).len(), MAX_ENTRY - 1);
    }
}
