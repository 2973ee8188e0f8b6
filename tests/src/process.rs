//! A process from outside: memory, processor time, signals.

use std::time::{Duration, Instant};

/// Resident memory of a process (`VmRSS`), bytes; 0 when it is gone.
pub fn resident_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or_default() * 1024
}

/// Processor time a process has used, user and system, seconds; resolution 10 ms.
pub fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The second field, in brackets, may hold blanks; utime and stime are fields 14 and 15 (proc(5)).
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = after.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    ticks as f64 / 100.0
}

/// SIGTERM: asks the process to end in order.
pub fn terminate(pid: u32) {
    // SAFETY: kill(2) takes two integers and touches no memory of ours.
    unsafe { libc::kill(pid as libc::pid_t, libc::SIGTERM) };
}

/// SIGKILL: the process gets no chance to do anything any more.
pub fn kill9(pid: u32) {
    // SAFETY: as in `terminate`.
    unsafe { libc::kill(pid as libc::pid_t, libc::SIGKILL) };
}

/// Asks `done` again and again, 5 ms apart; false when it stays false for `patience`.
pub fn wait_until(patience: Duration, mut done: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    loop {
        if done() {
            return true;
        }
        if started.elapsed() > patience {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
