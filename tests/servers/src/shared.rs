//! Finding the one server that all tests share, where nobody started it for them.
//!
//! Three files a kind of server, under the target directory: `start` (locked while one looks or starts), `users` (each user
//! holds a shared lock while it lives), `where` (the URL, and the server's directory). The other side of it is `supervise.sh`.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::process;
use crate::server::{self, Files};
use crate::{Engine, Error, Options, Url};

/// Seconds that a server waits for the next user. Test processes follow each other within milliseconds, but a test binary
/// without database tests may take a while in between.
const GRACE: u32 = 20;

/// Finds or starts the server. Whoever holds the file is its user.
pub(crate) fn join<E: Engine>() -> Result<(Url, File), Error> {
    let folder = folder(E::NAME)?;
    let path = folder.join("start");
    let starting = open(&path)?;
    starting.lock().map_err(Error::during(path.display()))?;

    let users_path = folder.join("users");
    let users = use_lock(&users_path)?;
    let place = folder.join("where");
    if let Some(url) = found(&place) {
        return Ok((url, users));
    }
    let dir = process::directory_for(E::NAME, E::ACCOUNT)?;
    let files = Files { dir, users: users_path, start: path, place: place.clone(), grace: GRACE };
    // The supervisor is not waited for: it outlives this process, which is only the first user.
    let (url, _supervisor) = server::set_up::<E>(&files, &Options::fast())?;
    let mut file = open(&place)?;
    file.set_len(0).map_err(Error::during(place.display()))?;
    writeln!(file, "{url}\n{}", files.dir.display()).map_err(Error::during(place.display()))?;
    Ok((url, users))
}

/// A shared lock that says "in use"; freed when the file is dropped or the process ends, in whatever way.
pub(crate) fn use_lock(path: &Path) -> Result<File, Error> {
    let file = open(path)?;
    file.lock_shared().map_err(Error::during(path.display()))?;
    file.set_modified(SystemTime::now()).map_err(Error::during(path.display()))?;
    Ok(file)
}

fn found(place: &Path) -> Option<Url> {
    let text = std::fs::read_to_string(place).ok()?;
    let mut lines = text.lines();
    let (url, dir) = (Url::parse(lines.next()?).ok()?, lines.next()?);
    // It may have crashed, or the machine was switched off, and another service may have its port now.
    let pid = std::fs::read_to_string(Path::new(dir).join("pid")).ok()?;
    let command = std::fs::read(format!("/proc/{}/cmdline", pid.trim())).ok()?;
    let command = String::from_utf8_lossy(&command);
    // Redis calls itself by its port.
    if !command.contains(dir) && !command.contains(&url.port.to_string()) {
        return None;
    }
    TcpStream::connect_timeout(&url.address().ok()?, Duration::from_secs(5)).ok()?;
    Some(url)
}

/// Passwords lie in `where`: for the owner's eyes only.
fn open(path: &Path) -> Result<File, Error> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options.open(path).map_err(Error::during(path.display()))
}

fn folder(name: &str) -> Result<PathBuf, Error> {
    let folder = target().join(format!("test-servers-{}", process::user())).join(name);
    std::fs::create_dir_all(&folder).map_err(Error::during(folder.display()))?;
    Ok(folder)
}

/// The target directory: where this test lies, or else the workspace's own.
fn target() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    // Cargo marks it (<https://bford.info/cachedir/>).
    let marked = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    marked.map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"), Path::to_owned)
}
