//! `covet doctor`: what this machine has, what it lacks, how to get it.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use serde_json::{Value, json};

use crate::args::{Doctor, HostFlags, Work};
use crate::host;
use crate::needs;
use crate::outcome::{Failure, Result};
use crate::output::{Output, table};
use crate::toolchain::{self, MIN_RUST, Way};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Ok,
    /// Needed, and not there: exit code 1.
    Missing,
    /// Works, but someone should know.
    Warning,
    /// Not asked for, or only comfort.
    Absent,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Missing => "missing",
            Status::Warning => "warning",
            Status::Absent => "absent",
        }
    }
}

#[derive(Debug)]
struct Check {
    name: String,
    status: Status,
    /// What is there, or why not.
    found: String,
    /// What to do; empty when nothing.
    way_out: String,
}

impl Check {
    fn new(name: &str, status: Status, found: impl Into<String>, way_out: impl Into<String>) -> Check {
        Check { name: name.to_owned(), status, found: found.into(), way_out: way_out.into() }
    }

    fn ok(name: &str, found: impl Into<String>) -> Check {
        Check::new(name, Status::Ok, found, "")
    }
}

pub fn run(args: &Doctor, output: Output) -> Result<()> {
    let mut checks = vec![rust()];
    checks.extend(guest_target());
    checks.extend(programs(&args.work));
    checks.extend(configured(args));
    checks.extend(machine());

    let missing: Vec<&str> =
        checks.iter().filter(|check| check.status == Status::Missing).map(|check| check.name.as_str()).collect();
    let json = json!({
        "ok": missing.is_empty(),
        "version": env!("CARGO_PKG_VERSION"),
        "checks": checks.iter().map(Check::json).collect::<Vec<Value>>(),
    });
    output.result(&json, || text(&checks));
    if missing.is_empty() {
        return Ok(());
    }
    let failure = Failure::failed("missing", format!("needed and missing: {}", missing.join(", ")));
    Err(Failure { reported: output.is_json(), ..failure })
}

impl Check {
    fn json(&self) -> Value {
        json!({ "name": self.name, "status": self.status.name(), "found": self.found, "way_out": self.way_out })
    }
}

fn text(checks: &[Check]) -> String {
    let rows: Vec<Vec<String>> = checks
        .iter()
        .map(|check| {
            let way_out = if check.way_out.is_empty() { String::new() } else { format!("  → {}", check.way_out) };
            vec![check.status.name().to_owned(), check.name.clone(), format!("{}{way_out}", check.found)]
        })
        .collect();
    table(&["STATUS", "WHAT", "FOUND"], &rows)
}

fn rust() -> Check {
    let found = toolchain::version("rustc", Path::new("."));
    let name = "rust";
    match found {
        Some(version) if version >= MIN_RUST => Check::ok(name, format!("rustc {}", toolchain::show(found))),
        // Plugins also build with Debian's own Rust; only Covet itself needs this one.
        _ => Check::new(
            name,
            Status::Warning,
            format!(
                "rustc in PATH: {}; Covet itself builds with {} or newer",
                toolchain::show(found),
                toolchain::show(Some(MIN_RUST))
            ),
            "rustup update stable, or install rustup from https://rustup.rs",
        ),
    }
}

fn guest_target() -> Vec<Check> {
    let here = Path::new(".");
    let used = toolchain::find(here);
    let mut checks = vec![match &used {
        Ok(way) => Check::ok("guest-target", format!("{} by {} ({})", toolchain::TARGET, way.name(), way.cargo())),
        Err(failure) => Check::new("guest-target", Status::Missing, failure.message.clone(), failure.hint.clone()),
    }];
    for way in [Way::Rustup, Way::Debian] {
        let name = format!("guest-target-{}", way.name());
        checks.push(match toolchain::open(way, here) {
            Ok(()) => Check::ok(&name, "can build plugins"),
            Err(reason) => Check::new(&name, Status::Absent, reason.0, ""),
        });
    }
    checks
}

fn programs(asked: &[Work]) -> Vec<Check> {
    let check = |need: needs::Need| {
        let wanted = need.required && (need.work == Work::Build || asked.contains(&need.work));
        match need.find() {
            Some(path) => Check::ok(need.name, path.display().to_string()),
            None if wanted => Check::new(need.name, Status::Missing, need.why, need.way_out()),
            None => Check::new(
                need.name,
                Status::Absent,
                need.why,
                if need.required { need.way_out() } else { String::new() },
            ),
        }
    };
    needs::all().into_iter().map(check).collect()
}

/// The operator's file, and what it names: state directory and addresses.
fn configured(args: &Doctor) -> Vec<Check> {
    let flags = HostFlags { state: None, listen: None, admin: None };
    let settings = match host::settings(args.config.as_deref(), &flags) {
        Ok(settings) => settings,
        Err(failure) => return vec![Check::new("covet.toml", Status::Missing, failure.message, failure.hint)],
    };
    let file = match &settings.file {
        Some(file) => Check::ok("covet.toml", file.display().to_string()),
        None => Check::ok("covet.toml", "none here; defaults apply"),
    };
    vec![file, state_directory(&settings.state), port("listen", settings.listen), port("admin", settings.admin)]
}

fn state_directory(state: &Path) -> Check {
    let name = "state-directory";
    let nearest = state.ancestors().find(|directory| directory.is_dir());
    let nearest = nearest.filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match tempfile::tempfile_in(nearest) {
        Ok(_) if state.is_dir() => Check::ok(name, format!("{} is writable", state.display())),
        Ok(_) => Check::ok(name, format!("{} can be created", state.display())),
        Err(error) => Check::new(
            name,
            Status::Missing,
            format!("{} cannot be written: {error}", nearest.display()),
            "name another with `covet serve --state DIR`, or mend its permissions",
        ),
    }
}

fn port(name: &str, address: SocketAddr) -> Check {
    match TcpListener::bind(address) {
        Ok(_) => Check::ok(name, format!("{address} is free")),
        Err(error) => Check::new(
            name,
            Status::Warning,
            format!("{address}: {error}"),
            format!("a host may run already (`covet plugins list`); else choose another with --{name} ADDR"),
        ),
    }
}

/// Facts about the kernel that change how fast or how wide a host runs.
fn machine() -> Vec<Check> {
    let kernel = read("/proc/sys/kernel/osrelease");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = kibibytes(&read("/proc/meminfo"), "MemTotal:");
    let mut checks =
        vec![Check::ok("machine", format!("{cores} cores, {} MiB of memory, Linux {kernel}", memory / 1024))];

    let swapping = read("/proc/swaps").lines().count() > 1;
    let scan = at_least(&kernel, (6, 7));
    checks.push(match (scan, swapping) {
        (true, false) => Check::ok("pagemap-scan", "there: a fresh instance is reset by what the last request touched"),
        (true, true) => Check::new(
            "pagemap-scan",
            Status::Warning,
            "off, because swap is on: a swapped-out page would keep the last request's data; fresh instances cost about 1.5 × more",
            "swapoff -a, where the machine has the memory",
        ),
        (false, _) => Check::new(
            "pagemap-scan",
            Status::Warning,
            format!("Linux {kernel} has none (6.7 brought it); fresh instances cost about 1.5 × more"),
            "",
        ),
    });

    let files = soft_limit(&read("/proc/self/limits"), "Max open files");
    checks.push(match files {
        Some(files) if files < 4096 => Check::new(
            "open-files",
            Status::Warning,
            format!("{files}: about as many connections can be open"),
            "ulimit -n 65536, or LimitNOFILE= in the service",
        ),
        Some(files) => Check::ok("open-files", files.to_string()),
        None => Check::ok("open-files", "unlimited"),
    });
    let maps: u64 = read("/proc/sys/vm/max_map_count").parse().unwrap_or(0);
    checks.push(if maps < 65_530 {
        Check::new(
            "memory-maps",
            Status::Warning,
            format!("vm.max_map_count = {maps}: bounds the number of instances"),
            "sysctl vm.max_map_count=262144",
        )
    } else {
        Check::ok("memory-maps", maps.to_string())
    });
    checks
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default()
}

/// `MemTotal:  1024 kB` → 1024.
fn kibibytes(meminfo: &str, key: &str) -> u64 {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

/// The soft limit of a line of /proc/PID/limits; none when unlimited.
fn soft_limit(limits: &str, name: &str) -> Option<u64> {
    limits.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
}

/// Compares a kernel's release, as `6.18.44-x`, with (major, minor).
fn at_least(release: &str, wanted: (u32, u32)) -> bool {
    let mut numbers = release.split(['.', '-']).map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_of_kernels_compare_by_number() {
        assert!(at_least("6.18.44-fc", (6, 7)));
        assert!(at_least("7.0", (6, 7)));
        assert!(!at_least("6.1.0-28-amd64", (6, 7)));
        assert!(!at_least("", (6, 7)));
    }

    #[test]
    fn limits_are_read_and_unlimited_is_none() {
        let limits =
            "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 4096   files\n";
        assert_eq!(soft_limit(limits, "Max open files"), Some(1024));
        assert_eq!(soft_limit("Max open files   unlimited unlimited files", "Max open files"), None);
    }

    #[test]
    fn what_was_not_asked_for_is_never_missing() {
        let not_asked = programs(&[]);
        let servers =
            not_asked.iter().filter(|check| ["postgresql", "mariadb", "redis", "wrk"].contains(&check.name.as_str()));
        assert!(servers.clone().count() == 4 && servers.clone().all(|check| check.status != Status::Missing));
    }
}
