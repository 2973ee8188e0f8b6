//! Programs of the system: found, run, waited for.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File};
use std::io::Read;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::Error;

/// Finds a program in `PATH`, then in `directories`; where one of these holds `*`, the newest version counts.
pub(crate) fn program(name: &str, directories: &[&str]) -> Result<PathBuf, Error> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    for directory in directories {
        match directory.split_once('*') {
            None => places.push(PathBuf::from(directory)),
            Some((before, after)) => {
                let found = std::fs::read_dir(before).into_iter().flatten().flatten();
                let mut versions: Vec<String> = found.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
                versions.sort_by_key(|version| std::cmp::Reverse(version.parse::<u32>().unwrap_or(0)));
                places.extend(versions.into_iter().map(|version| PathBuf::from(format!("{before}{version}{after}"))));
            }
        }
    }
    let found = places.into_iter().map(|place| place.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| Error::new(format!("the program {name} is missing: scripts/setup.sh test installs it")))
}

/// Runs a command to its end; its output is the error's text when it fails.
pub(crate) fn run(command: &mut Command) -> Result<String, Error> {
    let what = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(Error::during(&what))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Error::new(format!("{what} failed ({}): {text}{said}", output.status)))
}

/// A command that runs as `account` when root runs it, and gets the signal `end` when its parent dies.
pub(crate) fn as_account(account: &str, end: &str) -> Vec<String> {
    let mut words = vec!["setpriv".to_owned(), format!("--pdeathsig={end}")];
    if is_root() {
        words.extend([format!("--reuid={account}"), format!("--regid={account}"), "--init-groups".to_owned()]);
    }
    words.push("--".to_owned());
    words
}

/// [`as_account`], for a command that is run to its end.
pub(crate) fn command_as(account: &str, program: impl AsRef<OsStr>) -> Command {
    let words = as_account(account, "KILL");
    let mut command = Command::new("setpriv");
    command.args(&words[1..]).arg(program.as_ref());
    command
}

/// The user that this process runs as.
pub(crate) fn user() -> u32 {
    std::fs::metadata("/proc/self").map_or(u32::MAX, |metadata| metadata.uid())
}

pub(crate) fn is_root() -> bool {
    user() == 0
}

/// A new directory under the system's temporary one that only `account` may read.
pub(crate) fn directory_for(name: &str, account: &str) -> Result<PathBuf, Error> {
    // Short: a Unix socket's path may have 107 bytes.
    let path = std::env::temp_dir().join(format!("covet-{name}-{}", unique()));
    DirBuilder::new().mode(0o700).create(&path).map_err(Error::during(path.display()))?;
    if is_root() {
        run(Command::new("chown").arg(format!("{account}:")).arg(&path))?;
    }
    Ok(path)
}

/// A name that no other call of any process on this machine gives out.
pub(crate) fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("{}_{}_{}", std::process::id(), since.as_millis(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// 32 digits that nobody guesses.
pub(crate) fn secret() -> Result<String, Error> {
    let mut bytes = [0; 16];
    let random = File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut bytes));
    random.map_err(Error::during("/dev/urandom"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Sends a signal by name.
pub(crate) fn signal(pid: u32, name: &str) -> Result<(), Error> {
    run(Command::new("sh").args(["-c", "kill -s \"$1\" \"$2\"", "sh", name, &pid.to_string()])).map(drop)
}

/// Asks `done` again and again, 10 ms apart; false when it stays false for `patience`.
pub(crate) fn wait_until(patience: Duration, mut done: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    loop {
        if done() {
            return true;
        }
        if started.elapsed() > patience {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The last lines of a log, for an error's text.
pub(crate) fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
