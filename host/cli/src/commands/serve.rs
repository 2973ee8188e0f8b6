//! `covet serve`: a host in the foreground.

use std::io::Read;
use std::sync::Arc;

use covet_server::Server;
use serde_json::json;

use crate::args::Serve;
use crate::host;
use crate::outcome::{Failure, Result};
use crate::output::Output;
use crate::signals;

pub fn run(args: &Serve, output: Output) -> Result<()> {
    let settings = host::settings(args.config.as_deref(), &args.host)?;
    host::log_to_stderr(settings.config.log.format);
    let server = Arc::new(host::start(settings.config)?);
    announce(&server, output);
    if args.until_stdin_closes {
        end_with_stdin();
    }
    let stopped = Arc::clone(&server);
    signals::on_stop(move || {
        output.note("draining; once more ends at once");
        stopped.shutdown();
    })?;
    server.wait();
    output.event(&json!({ "event": "stopped" }), || "stopped".to_owned());
    Ok(())
}

/// The addresses, as lines that people and tests read.
pub fn announce(server: &Server, output: Output) {
    let (http, admin) = (server.http_addr(), server.admin_addr());
    output.event(&json!({ "event": "listening", "http": http.to_string(), "admin": admin.to_string() }), || {
        format!("listening on http://{http}\nadmin on http://{admin}")
    });
}

/// Ends the process when whoever holds the other end of standard input is gone.
fn end_with_stdin() {
    std::thread::spawn(|| {
        let mut sink = [0; 64];
        let mut stdin = std::io::stdin().lock();
        while stdin.read(&mut sink).is_ok_and(|read| read > 0) {}
        std::process::exit(Failure::EXIT_WITH_PARENT);
    });
}
