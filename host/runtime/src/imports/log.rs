//! `covet:log/log`.

use crate::{bindings::covet::log::log, log::PANIC, services::Level, state::State};

impl log::Host for State {
    fn write(&mut self, level: log::Level, target: String, message: String) -> wasmtime::Result<()> {
        let level = match level {
            log::Level::Trace => Level::Trace,
            log::Level::Debug => Level::Debug,
            log::Level::Info => Level::Info,
            log::Level::Warn => Level::Warn,
            log::Level::Error => Level::Error,
        };
        if target == PANIC && level == Level::Error && self.panic.is_none() {
            self.panic = Some(message);
            return Ok(());
        }
        self.generation.log.guest(level, &target, message.trim_end());
        Ok(())
    }

    fn enabled(&mut self) -> wasmtime::Result<log::Level> {
        Ok(match self.generation.log.enabled() {
            Level::Trace => log::Level::Trace,
            Level::Debug => log::Level::Debug,
            Level::Info => log::Level::Info,
            Level::Warn => log::Level::Warn,
            Level::Error => log::Level::Error,
        })
    }
}
