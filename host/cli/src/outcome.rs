//! How a command ends: the exit codes, and the one error type that carries them.

use std::fmt;

pub type Result<T> = std::result::Result<T, Failure>;

/// The exit codes of every command, as `covet --help` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// The command could not do its work, or `doctor` found something needed missing.
    Failed = 1,
    /// Wrong arguments (clap exits so by itself).
    Usage = 2,
    /// No host answers at the admin address.
    Unreachable = 3,
    /// The host answered with an error; nothing changed.
    Refused = 4,
    /// The plugin does not build.
    Build = 5,
}

/// What went wrong, and the way out. Printed once, in `main`.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    /// Stable, for scripts: `route-conflict`, `no-manifest`, …
    pub code: String,
    pub message: String,
    /// What to do about it; one sentence, or empty.
    pub hint: String,
    /// The command's result has told it already; only the exit code is left to say.
    pub reported: bool,
}

impl Failure {
    /// The exit code of a host whose parent went away.
    pub const EXIT_WITH_PARENT: i32 = Exit::Failed as i32;

    pub fn new(exit: Exit, code: &str, message: impl Into<String>) -> Failure {
        Failure { exit, code: code.to_owned(), message: message.into(), hint: String::new(), reported: false }
    }

    pub fn failed(code: &str, message: impl Into<String>) -> Failure {
        Failure::new(Exit::Failed, code, message)
    }

    pub fn usage(code: &str, message: impl Into<String>) -> Failure {
        Failure::new(Exit::Usage, code, message)
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hint = hint.into();
        self
    }

    /// For `map_err`: an I/O error, with what was being done to which file.
    pub fn io(doing: &str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Failure {
        let what = format!("{doing} {}", path.display());
        move |error| Failure::failed("io", format!("{what}: {error}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if !self.hint.is_empty() {
            write!(f, "\n  {}", self.hint)?;
        }
        Ok(())
    }
}
