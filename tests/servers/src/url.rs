//! Where a server is, in parts.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};

use crate::Error;

/// `scheme://user:password@host:port/database`. User and password stand as they are: no percent escapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// `postgres`, `mysql`, `redis`.
    pub scheme: String,
    /// May be empty, on Redis.
    pub user: String,
    /// May be empty.
    pub password: String,
    /// A name or an address.
    pub host: String,
    /// Never guessed: it must be there.
    pub port: u16,
    /// May be empty.
    pub database: String,
}

impl Url {
    /// Reads a URL; what follows `?` is left out.
    ///
    /// # Errors
    /// Anything that is not of the form above.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let parts = || {
            let (scheme, rest) = text.split_once("://")?;
            let rest = rest.split_once('?').map_or(rest, |(before, _)| before);
            let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
            let (login, address) = authority.rsplit_once('@').unwrap_or(("", authority));
            let (user, password) = login.split_once(':').unwrap_or((login, ""));
            let (host, port) = address.rsplit_once(':')?;
            Some(Self {
                scheme: scheme.to_owned(),
                user: user.to_owned(),
                password: password.to_owned(),
                host: host.to_owned(),
                port: port.parse().ok()?,
                database: database.to_owned(),
            })
        };
        parts().ok_or_else(|| Error::new(format!("not of the form scheme://user:password@host:port/database: {text}")))
    }

    /// The same server, another database.
    #[must_use]
    pub fn with_database(&self, database: &str) -> Self {
        Self { database: database.to_owned(), ..self.clone() }
    }

    /// The same database through another address, that of a [`crate::Proxy`] for instance.
    #[must_use]
    pub fn through(&self, address: SocketAddr) -> Self {
        Self { host: address.ip().to_string(), port: address.port(), ..self.clone() }
    }

    /// The address to connect to.
    ///
    /// # Errors
    /// A name that does not resolve.
    pub fn address(&self) -> Result<SocketAddr, Error> {
        let found = (self.host.as_str(), self.port).to_socket_addrs();
        let mut found = found.map_err(Error::during(format!("address of {}", self.host)))?;
        found.next().ok_or_else(|| Error::new(format!("{} has no address", self.host)))
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, user, password, host, port, database } = self;
        write!(f, "{scheme}://{user}:{password}@{host}:{port}/{database}")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed test is how it speaks")]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_written() {
        for text in ["postgres://me:a:b@127.0.0.1:5432/test", "redis://:secret@localhost:6379/3"] {
            assert_eq!(Url::parse(text).unwrap().to_string(), text);
        }
        let url = Url::parse("mysql://me:pw@db:3306/x?ssl-mode=DISABLED").unwrap();
        assert_eq!(url.with_database("y").to_string(), "mysql://me:pw@db:3306/y");
        for bad in ["", "localhost", "mysql://localhost/x", "mysql://localhost:x/"] {
            assert!(Url::parse(bad).is_err(), "{bad:?}");
        }
    }
}
