//! What is published: one immutable value, replaced whole by one pointer swap.

use std::sync::Arc;

use covet_runtime::Plugin;

use crate::{
    router::{Mounted, RouteError, Table},
    state::Artifact,
};

/// One generation as it serves.
#[derive(Clone, Debug)]
pub struct Live {
    pub name: Arc<str>,
    pub artifact: Artifact,
    pub plugin: Plugin,
}

/// All that serves, with the table that leads there.
#[derive(Debug, Default)]
pub struct Snapshot {
    pub table: Table,
    /// [`crate::router::Target::plugin`] is an index into it.
    pub plugins: Vec<Live>,
}

impl Snapshot {
    /// # Errors
    /// Two routes for the same requests.
    pub fn build(plugins: Vec<Live>) -> Result<Snapshot, RouteError> {
        let mounted: Vec<Mounted<'_>> = plugins
            .iter()
            .map(|live| Mounted {
                name: &live.name,
                generation: live.artifact.generation,
                host: live.artifact.host.as_deref(),
                mount: &live.artifact.mount,
                routes: &live.plugin.description().routes,
            })
            .collect();
        let table = Table::build(&mounted)?;
        Ok(Snapshot { table, plugins })
    }

    pub fn get(&self, name: &str) -> Option<&Live> {
        self.plugins.iter().find(|live| &*live.name == name)
    }

    /// The same without `name`, and with `live` last, so that a conflict is blamed on it.
    pub fn with(&self, name: &str, live: Option<Live>) -> Vec<Live> {
        self.plugins.iter().filter(|other| &*other.name != name).cloned().chain(live).collect()
    }
}
