//! SIGINT and SIGTERM: the first asks the command to end in order, the second ends it at once.

use tokio::signal::unix::{SignalKind, signal};

use crate::outcome::{Failure, Result};

/// What a shell reports for a program that SIGINT ended.
const INTERRUPTED: i32 = 130;

/// Calls `stop` once, on a thread of its own, at the first signal.
///
/// # Errors
/// When the handlers cannot be installed.
pub fn on_stop(stop: impl FnOnce() + Send + 'static) -> Result<()> {
    let failed =
        |error: std::io::Error| Failure::failed("signals", format!("watching for SIGINT and SIGTERM: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        (signal(SignalKind::interrupt()).map_err(failed)?, signal(SignalKind::terminate()).map_err(failed)?)
    };
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            runtime.block_on(async {
                let mut next = async || tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} };
                next().await;
                stop();
                next().await;
                std::process::exit(INTERRUPTED);
            });
        })
        .map_err(failed)?;
    Ok(())
}
