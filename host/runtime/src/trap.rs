//! From wasmtime's errors to what an author can use: one line of what happened, and the guest's own frames.

use wasmtime::{Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::{epochs::CpuSpent, error::HandleError, message::BodyFault, state::State};

/// Lines of a backtrace that are reported.
const MAX_LINES: usize = 16;

/// What an error from running a guest means. Takes the panic's message that the guest printed, if any.
pub(crate) fn explain(error: wasmtime::Error, state: &mut State) -> HandleError {
    let limits = &state.generation.limits;
    if error.is::<CpuSpent>() {
        return HandleError::Cpu { limit: limits.cpu };
    }
    if let Some(fault) = error.downcast_ref::<BodyFault>() {
        return match fault {
            BodyFault::TooLarge { limit } => HandleError::BodyTooLarge { limit: *limit },
            BodyFault::Broken(why) => HandleError::BodyBroken(why.clone()),
        };
    }
    if state.memory.denied {
        return HandleError::Memory { limit: limits.memory };
    }
    let panic = state.panic.take();
    let panic = panic.or_else(|| state.wasi.as_ref().and_then(|wasi| wasi.take_panic()));
    let frames = frames(&error);
    HandleError::Trap { message: message(&error, panic, &frames), backtrace: collapsed(&frames) }
}

fn message(error: &wasmtime::Error, panic: Option<String>, frames: &[Frame]) -> String {
    if let Some(panic) = panic {
        return panicked(&panic);
    }
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return format!("the guest called exit({})", exit.0);
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => STACK_OVERFLOW.into(),
        // Languages that keep a stack of their own in linear memory run off its end before wasm's is full.
        Some(Trap::MemoryOutOfBounds) if recurses(frames) => STACK_OVERFLOW.into(),
        Some(Trap::UnreachableCodeReached) => "the guest aborted (`unreachable`)".into(),
        Some(Trap::MemoryOutOfBounds) => "access to memory out of bounds".into(),
        Some(trap) => trap.to_string(),
        None => error.root_cause().to_string(),
    }
}

const STACK_OVERFLOW: &str = "stack overflow: unbounded recursion, or too much on the stack";

/// The backtrace is full of one function.
fn recurses(frames: &[Frame]) -> bool {
    frames.first().is_some_and(|first| {
        let same = frames.iter().filter(|frame| frame.name == first.name);
        same.count() > 32
    })
}

/// One line a frame; a run of the same function is two lines.
fn collapsed(frames: &[Frame]) -> Vec<String> {
    let mut lines = Vec::new();
    for run in frames.chunk_by(|one, next| one.name == next.name) {
        lines.extend(run.first().map(Frame::line));
        if run.len() > 1 {
            lines.push(format!("… {} more of it", run.len() - 1));
        }
    }
    lines.truncate(MAX_LINES);
    lines
}

/// `thread 'main' (1) panicked at src/lib.rs:7:9:\nwhat\nnote: run with …` → `panicked at src/lib.rs:7:9: what`.
fn panicked(text: &str) -> String {
    let start = text.find("panicked at ").unwrap_or(0);
    let lines = text.get(start..).unwrap_or(text).lines();
    let mut message = String::new();
    for line in lines.take_while(|line| !line.starts_with("note: ")) {
        if !message.is_empty() {
            message.push(' ');
        }
        message.push_str(line.trim_end());
    }
    message
}

/// One call of the guest's.
struct Frame {
    name: String,
    /// `src/lib.rs:7:9`
    place: Option<String>,
    internal: bool,
}

impl Frame {
    fn new(name: &str, file: Option<&str>, line: Option<u32>, column: Option<u32>) -> Frame {
        let name = demangled(name);
        let place = file.map(|file| {
            let mut place = shorten(file);
            for number in [line, column].into_iter().flatten() {
                place.push_str(&format!(":{number}"));
            }
            place
        });
        Frame { internal: internal(&name, place.as_deref()), name, place }
    }

    fn line(&self) -> String {
        match &self.place {
            Some(place) => format!("{} ({place})", self.name),
            None => self.name.clone(),
        }
    }
}

/// The guest's frames, innermost first, without those of the language's own runtime.
fn frames(error: &wasmtime::Error) -> Vec<Frame> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else {
        return Vec::new();
    };
    let mut frames = Vec::new();
    for frame in backtrace.frames() {
        let function = frame.func_name().unwrap_or("?");
        if frame.symbols().is_empty() {
            frames.push(Frame::new(function, None, None, None));
        }
        for symbol in frame.symbols() {
            let name = symbol.name().unwrap_or(function);
            frames.push(Frame::new(name, symbol.file(), symbol.line(), symbol.column()));
        }
    }
    // The author's own, where there are any.
    if frames.iter().any(|frame| !frame.internal) {
        frames.retain(|frame| !frame.internal);
    }
    frames
}

/// Not the author's: the standard library, allocator and libc, and the bindings that drive the handler.
fn internal(name: &str, file: Option<&str>) -> bool {
    const NAMES: [&str; 16] = [
        "std::",
        "core::",
        "alloc::",
        "<alloc::",
        "<core::",
        "<std::",
        "__rust",
        "rust_",
        "wit_bindgen::",
        "<wit_bindgen::",
        "dlmalloc::",
        "<dlmalloc::",
        "abort",
        "_start",
        "__wasm",
        "cabi_",
    ];
    const FILES: [&str; 6] =
        ["/library/std/", "/library/core/", "/library/alloc/", "/library/panic", "/wit-bindgen-", "/wasi-libc/"];
    /// Crates that drive the handler, once `shorten` has cut the registry's path off.
    const CRATES: [&str; 3] = ["wit-bindgen-", "futures-", "dlmalloc-"];
    NAMES.iter().any(|prefix| name.starts_with(prefix))
        || name.contains("[async-lift]")
        || name.contains("export_serve")
        || name.starts_with("covet::plugin::serve")
        || file.is_some_and(|file| {
            FILES.iter().any(|part| file.contains(part)) || CRATES.iter().any(|name| file.starts_with(name))
        })
}

/// `/home/x/.cargo/registry/src/index…/covet-0.1.0/src/lib.rs` → `covet-0.1.0/src/lib.rs`.
fn shorten(file: &str) -> String {
    match file.split_once("/registry/src/").and_then(|(_, rest)| rest.split_once('/')) {
        Some((_, rest)) => rest.to_owned(),
        None => file.to_owned(),
    }
}

/// `_RNvNtCs6Rlxlh0ljve_5probe9misbehave5panic` → `probe::misbehave::panic`; what is not mangled stays as it is.
fn demangled(name: &str) -> String {
    let plain = format!("{:#}", rustc_demangle::demangle(name));
    // Debug info names a function as its source does, but with the hash of the old mangling where that was used.
    match plain.rsplit_once("::h") {
        Some((path, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => path.to_owned(),
        _ => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_one_line() {
        let printed = "thread '<unnamed>' panicked at examples/blog/src/lib.rs:7:9:\nno such post: 7\nnote: run with `RUST_BACKTRACE=1`\n";
        assert_eq!(panicked(printed), "panicked at examples/blog/src/lib.rs:7:9: no such post: 7");
    }

    #[test]
    fn a_recursion_is_one_frame_and_a_count() {
        let frame = |name| Frame::new(name, Some("src/lib.rs"), Some(7), None);
        let mut frames: Vec<Frame> = (0..60).map(|_| frame("deeper")).collect();
        frames.push(frame("handler"));
        assert!(recurses(&frames));
        let lines = ["deeper (src/lib.rs:7)", "… 59 more of it", "handler (src/lib.rs:7)"];
        assert_eq!(collapsed(&frames), lines);
        assert!(!recurses(&frames[55..]));
    }

    #[test]
    fn frames_of_the_runtime_are_told_from_the_authors() {
        assert!(internal("core::panicking::panic_fmt", Some("/rustc/abc/library/core/src/panicking.rs")));
        assert!(internal("whatever", Some("/usr/src/rustc-1.96/library/std/src/sys/x.rs")));
        assert!(!internal("blog::show", Some("src/lib.rs")));
        assert_eq!(demangled("blog::show::h0123456789abcdef"), "blog::show");
        let v0 = "_RNCNvNtCs6Rlxlh0ljve_5probe9misbehave5panic0B5_";
        assert_eq!(demangled(v0), "probe::misbehave::panic::{closure#0}");
        assert_eq!(shorten("/root/.cargo/registry/src/index-1/covet-0.1.0/src/a.rs"), "covet-0.1.0/src/a.rs");
    }
}
