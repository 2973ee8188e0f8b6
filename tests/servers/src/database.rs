//! A database that one test has to itself.

use std::fs::File;
use std::sync::Arc;

use crate::Url;

/// An empty database, dropped with this value (not waited for: a connection that still uses it may hinder it).
#[derive(Debug)]
pub struct TestDatabase {
    url: Url,
    server: Url,
    dropped_by: Option<fn(&Url, &str)>,
    /// Keeps the shared server alive.
    _use: Option<Arc<File>>,
}

impl TestDatabase {
    pub(crate) fn new(server: Url, name: String, dropped_by: Option<fn(&Url, &str)>, user: Option<Arc<File>>) -> Self {
        Self { url: server.with_database(&name), server, dropped_by, _use: user }
    }

    /// `postgres://user:password@127.0.0.1:port/name`
    #[must_use]
    pub fn url(&self) -> String {
        self.url.to_string()
    }

    /// The same in parts.
    #[must_use]
    pub fn parts(&self) -> &Url {
        &self.url
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Some(drop_database) = self.dropped_by {
            drop_database(&self.server, &self.url.database);
        }
    }
}
