//! Servers for a whole test run: `covet-test-servers run COMMAND…` starts one of each kind, names them to the command in
//! its environment, and ends them with it. `covet-test-servers up` prints the variables and waits until its standard
//! input is closed.
//!
//! Exit: that of the command; 2 for wrong usage; 1 where a server does not start.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode};

use covet_test_servers::{
    Engine, Error, MariaDb, MariaDbEngine, Options, Postgres, PostgresEngine, Redis, RedisEngine,
};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match words.as_slice() {
        ["run", program, rest @ ..] => run(program, rest),
        ["up"] => up(),
        _ => {
            eprintln!("usage: covet-test-servers run COMMAND [ARGUMENT]…\n       covet-test-servers up");
            return ExitCode::from(2);
        }
    };
    ended.unwrap_or_else(|error| {
        eprintln!("covet-test-servers: {error}");
        ExitCode::FAILURE
    })
}

fn run(program: &str, arguments: &[&str]) -> Result<ExitCode, Error> {
    let servers = Servers::start()?;
    // Ctrl-C reaches the command as well, and the servers end with this process in any case.
    let status = Command::new(program).args(arguments).envs(servers.variables()).status();
    let status = status.map_err(|error| Error::new(format!("{program}: {error}")))?;
    // As shells do: a command that a signal ended, says 128 and the signal's number.
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

fn up() -> Result<ExitCode, Error> {
    let servers = Servers::start()?;
    for (name, url) in servers.variables() {
        println!("export {name}='{url}'");
    }
    let _closed = std::io::stdin().read_to_end(&mut Vec::new());
    Ok(ExitCode::SUCCESS)
}

struct Servers {
    postgres: Postgres,
    mariadb: MariaDb,
    redis: Redis,
}

impl Servers {
    /// All at once: each takes seconds.
    fn start() -> Result<Self, Error> {
        std::thread::scope(|scope| {
            let postgres = scope.spawn(|| Postgres::private(&Options::fast()));
            let redis = Redis::private(&Options::fast());
            let mariadb = MariaDb::private(&Options::fast());
            let postgres = postgres.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            Ok(Self { postgres: postgres?, mariadb: mariadb?, redis: redis? })
        })
    }

    fn variables(&self) -> [(&'static str, String); 3] {
        [
            (PostgresEngine::VARIABLE, self.postgres.url().to_string()),
            (MariaDbEngine::VARIABLE, self.mariadb.url().to_string()),
            (RedisEngine::VARIABLE, self.redis.url().to_string()),
        ]
    }
}
