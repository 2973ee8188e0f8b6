//! The plugin under test, alone on a host of its own.

use std::ops::Deref;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::covet::{build, crate_directory};
use crate::{Client, Error, Host, HostOptions};

/// A running plugin; asks like a [`Client`] (`get`, `post_json`, `post_form`, …).
#[derive(Debug)]
pub struct App {
    client: Client,
    host: Host,
    name: String,
    database: PathBuf,
}

impl App {
    /// Builds the plugin of the crate under test and serves it, on a fresh database.
    ///
    /// # Errors
    /// When it does not build, or the host refuses it: with the words of the compiler or the host.
    pub fn start() -> Result<App, Error> {
        App::options().start()
    }

    pub fn options() -> Options {
        Options::default()
    }

    /// What the plugin logged so far, oldest first: objects with `level`, `target`, `message`, …
    ///
    /// # Errors
    /// When the host does not answer.
    pub fn logs(&self) -> Result<Vec<Value>, Error> {
        self.host.logs(&self.name)
    }

    /// The plugin's SQLite file, for tests that look into it. Only read it while the app runs.
    pub fn database(&self) -> &Path {
        &self.database
    }

    /// The host, for what tests of one plugin seldom need: admin API, restart.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Ends the host as a power cut would, and starts it again on the same state.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn restart(&mut self) -> Result<(), Error> {
        self.host.restart()?;
        self.client = self.host.client();
        Ok(())
    }
}

impl Deref for App {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// How to start an [`App`].
#[derive(Clone, Debug, Default)]
pub struct Options {
    directory: Option<PathBuf>,
    database: Option<PathBuf>,
    config: Vec<(String, Value)>,
    limits: Vec<(String, Value)>,
    host: HostOptions,
}

impl Options {
    /// Another plugin than the crate under test: the directory of its `plugin.toml`.
    #[must_use]
    pub fn plugin(mut self, directory: impl Into<PathBuf>) -> Options {
        self.directory = Some(directory.into());
        self
    }

    /// A value that the plugin reads with `covet::config`.
    #[must_use]
    pub fn config(mut self, key: &str, value: &str) -> Options {
        self.config.push((key.to_owned(), value.into()));
        self
    }

    /// A SQLite file of yours instead of a fresh one. It stays when the app ends.
    #[must_use]
    pub fn database(mut self, file: impl Into<PathBuf>) -> Options {
        self.database = Some(file.into());
        self
    }

    /// A fresh instance for every request (`isolation = "request"`): shows state that a handler keeps in statics by mistake.
    #[must_use]
    pub fn fresh_instances(self) -> Options {
        self.limit("isolation", "request")
    }

    /// A limit as in `covet.toml`: `limit("deadline", "200ms")`, `limit("concurrency", 4)`.
    #[must_use]
    pub fn limit(mut self, key: &str, value: impl Into<Value>) -> Options {
        self.limits.push((key.to_owned(), value.into()));
        self
    }

    /// More tables for the operator's `covet.toml`.
    #[must_use]
    pub fn covet_toml(mut self, toml: &str) -> Options {
        self.host = self.host.config(toml);
        self
    }

    /// A variable in the host's environment, as for secrets.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Options {
        self.host = self.host.env(name, value);
        self
    }

    /// # Errors
    /// See [`App::start`].
    pub fn start(self) -> Result<App, Error> {
        let directory = match &self.directory {
            Some(directory) => directory.clone(),
            None => crate_directory()?,
        };
        let wasm = build(&directory)?;
        // `covet build` names its result as the plugin.
        let name = wasm.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let toml = self.covet_toml_for(&name);
        let host = self.host.clone().config(&toml).start()?;
        host.deploy(&name, &wasm, Some("/"))?;
        let database = self.database.unwrap_or_else(|| host.state().join("app.db"));
        Ok(App { client: host.client(), host, name, database })
    }

    fn covet_toml_for(&self, name: &str) -> String {
        let mut toml = String::new();
        if let Some(file) = &self.database {
            toml.push_str(&format!("[databases.default]\nurl = {}\n", quoted(&format!("sqlite://{}", file.display()))));
        }
        for (table, pairs) in [("config", &self.config), ("limits", &self.limits)] {
            if !pairs.is_empty() {
                toml.push_str(&format!("[plugins.{name}.{table}]\n"));
            }
            for (key, value) in pairs {
                toml.push_str(&format!("{} = {value}\n", quoted(key)));
            }
        }
        toml
    }
}

/// A TOML basic string: JSON's strings are among them. So are its numbers and booleans among TOML's.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_become_the_operators_file() {
        let options = App::options().config("greeting", "say \"hi\"").limit("concurrency", 4).fresh_instances();
        assert_eq!(
            options.covet_toml_for("blog"),
            "[plugins.blog.config]\n\"greeting\" = \"say \\\"hi\\\"\"\n[plugins.blog.limits]\n\"concurrency\" = 4\n\"isolation\" = \"request\"\n"
        );
    }
}
