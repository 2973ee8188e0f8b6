//! A server, shared or private.

use std::fs::File;
use std::marker::PhantomData;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use crate::process::{self, wait_until};
use crate::{Engine, Error, Options, TestDatabase, Url, certificates, shared};

/// How long a server may take until it answers: recovery after a crash on a busy machine takes seconds.
const START: Duration = Duration::from_secs(60);
/// How long it may take to end.
const STOP: Duration = Duration::from_secs(30);
/// Other processes look for free ports as well.
const ATTEMPTS: usize = 5;

/// A server. A private one ends when this is dropped; a shared one when nobody uses it any more.
#[derive(Debug)]
pub struct Server<E: Engine> {
    url: Url,
    private: Option<Private<E>>,
    /// Held while this or one of its databases lives. Nothing to hold where the environment names the server.
    _use: Option<Arc<File>>,
}

impl<E: Engine> Server<E> {
    /// The server that all tests of a run share, found or started. Crash a [`private`](Self::private) one instead.
    ///
    /// # Errors
    /// Its program is missing, or it does not start; the text has its last log lines.
    pub fn shared() -> Result<Self, Error> {
        if let Ok(url) = std::env::var(E::VARIABLE) {
            return Ok(Self { url: Url::parse(&url)?, private: None, _use: None });
        }
        let (url, users) = shared::join::<E>()?;
        Ok(Self { url, private: None, _use: Some(Arc::new(users)) })
    }

    /// A server of the caller's own. Takes one to three seconds.
    ///
    /// # Errors
    /// As [`shared`](Self::shared).
    pub fn private(options: &Options) -> Result<Self, Error> {
        let dir = process::directory_for(E::NAME, E::ACCOUNT)?;
        let files =
            Files { users: dir.join("users"), start: dir.join("start"), place: dir.join("where"), dir, grace: 0 };
        let users = shared::use_lock(&files.users)?;
        let (url, run) = set_up::<E>(&files, options)?;
        let private = Private { files, run, options: options.clone(), users: Some(users), engine: PhantomData };
        Ok(Self { url, private: Some(private), _use: None })
    }

    /// Where an administrator connects.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The certificate of the authority that signed a private server's own, where it has one ([`Options::tls`]).
    ///
    /// # Errors
    /// The server is shared.
    pub fn authority(&self) -> Result<PathBuf, Error> {
        let private = self.private.as_ref().ok_or_else(|| Error::new("a shared server has no TLS"))?;
        Ok(private.files.dir.join(certificates::AUTHORITY))
    }

    /// An empty database of the caller's own, dropped with the value. About 50 ms.
    ///
    /// # Errors
    /// What the server said.
    pub fn database(&self) -> Result<TestDatabase, Error> {
        let name = E::create_database(&self.url)?;
        // The databases of a private server go with it.
        let dropped_by = if self.private.is_none() { Some(E::drop_database as fn(&Url, &str)) } else { None };
        Ok(TestDatabase::new(self.url.clone(), name, dropped_by, self._use.clone()))
    }

    /// Kills a private server (SIGKILL), as a crash or the kernel's memory killer would. Its data stays for
    /// [`start`](Self::start).
    ///
    /// # Errors
    /// The server is shared, or not running.
    pub fn crash(&mut self) -> Result<(), Error> {
        self.own()?.end("KILL")
    }

    /// Ends a private server in order.
    ///
    /// # Errors
    /// The server is shared, or not running.
    pub fn stop(&mut self) -> Result<(), Error> {
        self.own()?.end(E::STOP)
    }

    /// Starts a private server again, on the same port with the same data, and waits until it answers.
    ///
    /// # Errors
    /// The server is shared, or it does not start.
    pub fn start(&mut self) -> Result<(), Error> {
        let url = self.url.clone();
        let private = self.own()?;
        private.run = start::<E>(&private.files, &url, &private.options)?;
        Ok(())
    }

    fn own(&mut self) -> Result<&mut Private<E>, Error> {
        self.private.as_mut().ok_or_else(|| Error::new("a shared server is not one test's to stop"))
    }
}

#[derive(Debug)]
struct Private<E: Engine> {
    files: Files,
    run: Child,
    options: Options,
    /// `None` once it was given back.
    users: Option<File>,
    engine: PhantomData<E>,
}

impl<E: Engine> Private<E> {
    fn end(&mut self, name: &str) -> Result<(), Error> {
        if self.ended() {
            return Err(Error::new("the server does not run"));
        }
        process::signal(pid(&self.files.dir)?, name)?;
        if wait_until(STOP, || self.ended()) { Ok(()) } else { Err(Error::new("the server does not end")) }
    }

    fn ended(&mut self) -> bool {
        !matches!(self.run.try_wait(), Ok(None))
    }
}

impl<E: Engine> Drop for Private<E> {
    fn drop(&mut self) {
        // The supervisor ends the server now, if it still runs.
        drop(self.users.take());
        wait_until(STOP, || self.ended());
        let _gone = std::fs::remove_dir_all(&self.files.dir);
    }
}

/// The arguments of `supervise.sh`, described there.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) dir: PathBuf,
    pub(crate) users: PathBuf,
    pub(crate) start: PathBuf,
    pub(crate) place: PathBuf,
    pub(crate) grace: u32,
}

/// Sets up a new server in its directory and starts it.
pub(crate) fn set_up<E: Engine>(files: &Files, options: &Options) -> Result<(Url, Child), Error> {
    let password = process::secret()?;
    let attempt = || {
        E::prepare(&files.dir, &password)?;
        if options.tls {
            certificates::make(&files.dir, E::ACCOUNT)?;
        }
        let mut started = Err(Error::new("no free port"));
        for _ in 0..ATTEMPTS {
            let url = E::url(free_port()?, &password);
            started = start::<E>(files, &url, options).map(|run| (url, run));
            if started.is_ok() {
                break;
            }
        }
        started
    };
    attempt().inspect_err(|_| {
        let _gone = std::fs::remove_dir_all(&files.dir);
    })
}

fn start<E: Engine>(files: &Files, url: &Url, options: &Options) -> Result<Child, Error> {
    let _old = std::fs::remove_file(files.dir.join("pid"));
    let mut words = process::as_account(E::ACCOUNT, E::END);
    words.extend(E::command(&files.dir, url.port, &url.password, options)?);
    let script = files.dir.join("supervise.sh");
    if !script.exists() {
        std::fs::write(&script, include_str!("supervise.sh")).map_err(Error::during(script.display()))?;
    }
    let mut supervisor = Command::new("sh");
    supervisor.arg(&script).args([&files.dir, &files.users, &files.start, &files.place]);
    supervisor.args([&files.grace.to_string(), E::END]).args(words);
    // A group of its own: Ctrl-C and the test runner's signals end the users, and that ends the server.
    supervisor.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut run = supervisor.spawn().map_err(Error::during("sh"))?;

    let mut ended = false;
    let answers = wait_until(START, || {
        ended = !matches!(run.try_wait(), Ok(None));
        ended || E::answers(url)
    });
    if answers && !ended {
        return Ok(run);
    }
    let said = process::tail(&files.dir.join("log"));
    if let (false, Ok(pid)) = (ended, pid(&files.dir)) {
        let _ended = process::signal(pid, E::END);
        let _status = run.wait();
    }
    Err(Error::new(format!("{} did not start; the end of its log:\n{said}", E::NAME)))
}

fn pid(dir: &Path) -> Result<u32, Error> {
    let text = std::fs::read_to_string(dir.join("pid")).map_err(Error::during("process id of the server"))?;
    text.trim().parse().map_err(Error::during("process id of the server"))
}

/// A port below those that the system gives to outgoing connections (32,768 and up): a server that is started again must
/// find it still free.
fn free_port() -> Result<u16, Error> {
    let secret = process::secret()?;
    let number = secret.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    let ports = (0..1000).map(|step| 15_000 + (number.wrapping_add(step) % 17_000) as u16);
    let mut free = ports.filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.next().ok_or_else(|| Error::new("no free port"))
}
