//! Child processes: started without the wish for backtraces, measured through `/proc`, ended with us.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// A running child. Dropped: asked to end (SIGTERM), killed after five seconds.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

/// Resident memory in bytes, from `/proc/PID/status`.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// All of it: `VmRSS`.
    pub resident: u64,
    /// What is not backed by a file: `RssAnon`.
    pub anonymous: u64,
}

/// A command that inherits no wish for backtraces.
pub fn command(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    command.env_remove("RUST_BACKTRACE").env_remove("RUST_LIB_BACKTRACE");
    command
}

impl Process {
    pub fn spawn(command: &mut Command) -> Result<Process> {
        let child = command.spawn().with_context(|| format!("start {:?}", command.get_program()))?;
        Ok(Process { child })
    }

    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// User and system time of all threads so far, in steps of one clock tick (10 ms).
    pub fn cpu(&self) -> Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid()))?;
        // The command's name stands in brackets and may hold spaces: count the fields after it. utime and stime are
        // fields 14 and 15 (proc(5)), the state behind the bracket is field 3.
        let rest = stat.rsplit_once(')').context("stat")?.1;
        let ticks: u64 = rest.split_whitespace().skip(11).take(2).map(|t| t.parse::<u64>().unwrap_or(0)).sum();
        // SAFETY: sysconf reads a constant of the system and touches no memory of ours.
        let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) }.max(1) as u64;
        Ok(Duration::from_nanos(ticks * (1_000_000_000 / per_second)))
    }

    pub fn memory(&self) -> Result<Memory> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let field = |name: &str| -> Result<u64> {
            let line = status.lines().find_map(|l| l.strip_prefix(name)).with_context(|| format!("no {name}"))?;
            Ok(line.split_whitespace().next().context("no figure")?.parse::<u64>()? * 1024)
        };
        Ok(Memory { resident: field("VmRSS:")?, anonymous: field("RssAnon:")? })
    }

    /// True while it runs.
    pub fn alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.alive() {
            return;
        }
        // SAFETY: plain system call; the pid is our own unreaped child, so it names no other process.
        unsafe { libc::kill(self.pid() as libc::pid_t, libc::SIGTERM) };
        let patience = Instant::now() + Duration::from_secs(5);
        while Instant::now() < patience {
            if !self.alive() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port nobody listens on at this moment.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Waits until somebody listens on `address`.
pub fn wait_for(address: SocketAddr, patience: Duration) -> Result<()> {
    let end = Instant::now() + patience;
    loop {
        match std::net::TcpStream::connect(address) {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() > end => {
                bail!("nobody listens on {address} after {patience:?}: {error}")
            }
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// Raises the limit on open files to what the system allows (10,000 idle connections need as many); children inherit it.
pub fn raise_file_limit() -> Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls get a pointer to a live rlimit of ours.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) != 0 {
            return Err(std::io::Error::last_os_error().into());
        }
        limit.rlim_cur = limit.rlim_max;
        if libc::setrlimit(libc::RLIMIT_NOFILE, &limit) != 0 {
            return Err(std::io::Error::last_os_error().into());
        }
    }
    Ok(limit.rlim_cur)
}
