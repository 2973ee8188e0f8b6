//! `covet:config/config`.

use crate::{bindings::covet::config::config, state::State};

impl config::Host for State {
    fn get(&mut self, key: String) -> wasmtime::Result<Option<String>> {
        if self.withheld {
            return Ok(None);
        }
        Ok(self.generation.services.config.get(&key).cloned())
    }
}
