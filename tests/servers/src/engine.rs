//! What differs between the kinds of servers.

use std::path::Path;

use crate::{Error, Url};

/// A kind of server. Implemented here only.
pub trait Engine: Sized + 'static {
    /// Names files and directories.
    const NAME: &'static str;
    /// The environment variable that names the shared server of a test run.
    const VARIABLE: &'static str;
    /// The account it runs as when root starts it, made by its package.
    const ACCOUNT: &'static str;
    /// The signal that asks it to end in order.
    const STOP: &'static str;
    /// The signal that ends it at once, whatever becomes of its data.
    const END: &'static str;

    /// Sets up an empty server in `dir`, which belongs to the account.
    ///
    /// # Errors
    /// The program is missing, or what it said.
    fn prepare(dir: &Path, password: &str) -> Result<(), Error>;

    /// The command that runs it in the foreground.
    ///
    /// # Errors
    /// The program is missing.
    fn command(dir: &Path, port: u16, password: &str, options: &Options) -> Result<Vec<String>, Error>;

    /// Where an administrator connects.
    fn url(port: u16, password: &str) -> Url;

    /// Whether it answers.
    fn answers(url: &Url) -> bool;

    /// Makes an empty database; answers with its name.
    ///
    /// # Errors
    /// What the server said.
    fn create_database(url: &Url) -> Result<String, Error>;

    /// Drops a database, as far as that goes: nobody waits for it.
    fn drop_database(url: &Url, name: &str);
}

/// How a private server is set up.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub(crate) durable: bool,
    pub(crate) tls: bool,
    pub(crate) settings: Vec<(String, String)>,
}

impl Options {
    /// Nothing waits for the disk: for tests that never ask what a crash left.
    #[must_use]
    pub fn fast() -> Self {
        Self::default()
    }

    /// A commit is on disk when it is answered, as in production.
    #[must_use]
    pub fn durable() -> Self {
        Self { durable: true, ..Self::default() }
    }

    /// PostgreSQL and MariaDB: with TLS, by a certificate for 127.0.0.1; see [`crate::Server::authority`].
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// One setting of the server by its own name, `max_connections` for instance.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }
}
