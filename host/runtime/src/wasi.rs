//! WASI 0.2 for guests: what every language's standard library brings along, with nothing behind it.
//!
//! No files, no sockets, no environment, no arguments, an empty standard input. Clocks and randomness are real, but while
//! capabilities are withheld (`describe`): then both are fixed. Standard output and error go to the plugin's log, a line an
//! entry. `exit` traps.
//!
//! The context is made when a guest first calls into WASI; most requests never do.
//!
//! We link the variants of `wasmtime-wasi` that are asynchronous on the host's side: a guest that blocks
//! (`thread::sleep`, a poll) suspends its own fiber, and with it its store, but not the thread. The synchronous variants
//! would run a second event loop inside ours. For the guest the difference cannot be seen; while it blocks in WASI its own
//! other tasks wait too, which is what "blocking" means there.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::io::AsyncWrite;
use wasmtime_wasi::{
    HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxView, WasiView,
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamResult},
};

use crate::{generation::Generation, services::Level, state::State};

/// Bytes of the longest line that is kept whole; longer ones are cut into several.
const MAX_LINE: usize = 8 << 10;
/// Bytes kept of a panic's message.
const MAX_PANIC: usize = 4 << 10;

/// The WASI side of one instance.
pub(crate) struct Wasi {
    ctx: WasiCtx,
    out: Arc<Mutex<Lines>>,
    err: Arc<Mutex<Lines>>,
}

impl Wasi {
    fn new(generation: &Arc<Generation>, withheld: bool) -> Wasi {
        let out = Lines::new(Arc::clone(generation), Level::Info, "stdout");
        let err = Lines::new(Arc::clone(generation), Level::Warn, "stderr");
        let mut builder = WasiCtx::builder();
        builder
            .stdout(Print(Arc::clone(&out)))
            .stderr(Print(Arc::clone(&err)))
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .max_random_size(64 << 10);
        if withheld {
            builder
                .wall_clock(Fixed)
                .monotonic_clock(Fixed)
                .insecure_random_seed(0)
                .secure_random(wasmtime_wasi::Deterministic::new(vec![0x5c]))
                .insecure_random(wasmtime_wasi::Deterministic::new(vec![0x5c]));
        }
        Wasi { ctx: builder.build(), out, err }
    }

    /// The message of a panic that is being printed, if one is; it is the guest's last word.
    pub fn take_panic(&self) -> Option<String> {
        self.err.lock().take_panic()
    }

    /// Logs what stands there without a line break: the request is over.
    pub fn flush(&self) {
        self.out.lock().flush();
        self.err.lock().flush();
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let State { wasi, table, generation, withheld, .. } = self;
        let wasi = wasi.get_or_insert_with(|| Box::new(Wasi::new(generation, *withheld)));
        WasiCtxView { ctx: &mut wasi.ctx, table }
    }
}

/// Both clocks stand still at zero.
struct Fixed;

impl HostWallClock for Fixed {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }
    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

impl HostMonotonicClock for Fixed {
    fn resolution(&self) -> u64 {
        1
    }
    fn now(&self) -> u64 {
        0
    }
}

/// One of the guest's two outputs, cut into lines.
struct Lines {
    generation: Arc<Generation>,
    level: Level,
    target: &'static str,
    partial: Vec<u8>,
    /// Filled from the line "thread … panicked at" on: a trap follows, and says it in its own entry.
    panic: Option<String>,
}

impl Lines {
    fn new(generation: Arc<Generation>, level: Level, target: &'static str) -> Arc<Mutex<Lines>> {
        Arc::new(Mutex::new(Lines { generation, level, target, partial: Vec::new(), panic: None }))
    }

    fn write(&mut self, mut bytes: &[u8]) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = bytes.split_at(end);
            self.extend(line);
            self.emit();
            bytes = rest.get(1..).unwrap_or_default();
        }
        self.extend(bytes);
    }

    fn extend(&mut self, mut bytes: &[u8]) {
        while self.partial.len() + bytes.len() > MAX_LINE {
            let (fits, rest) = bytes.split_at(MAX_LINE.saturating_sub(self.partial.len()).min(bytes.len()));
            self.partial.extend_from_slice(fits);
            self.emit();
            bytes = rest;
        }
        self.partial.extend_from_slice(bytes);
    }

    fn emit(&mut self) {
        let line = String::from_utf8_lossy(&self.partial);
        let line = line.trim_end_matches('\r');
        if let Some(panic) = &mut self.panic {
            if panic.len() < MAX_PANIC {
                panic.push_str(line);
                panic.push('\n');
            }
        } else if line.starts_with("thread '") && line.contains("panicked at ") {
            self.panic = Some(format!("{line}\n"));
        } else if !line.is_empty() {
            self.generation.log.guest(self.level, self.target, line);
        }
        self.partial.clear();
    }

    fn take_panic(&mut self) -> Option<String> {
        if !self.partial.is_empty() {
            self.emit();
        }
        self.panic.take()
    }

    fn flush(&mut self) {
        if !self.partial.is_empty() {
            self.emit();
        }
        // It panicked and lives (another language, another runtime): then it is a line like others.
        if let Some(panic) = self.panic.take() {
            self.generation.log.guest(self.level, self.target, panic.trim_end());
        }
    }
}

/// A handle to one of the outputs; the guest may open several.
#[derive(Clone)]
struct Print(Arc<Mutex<Lines>>);

impl IsTerminal for Print {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Print {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Print {
    async fn ready(&mut self) {}
}

impl OutputStream for Print {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.0.lock().write(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 << 10)
    }
}

impl AsyncWrite for Print {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.0.lock().write(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
