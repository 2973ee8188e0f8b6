//! From wasmtime's errors to what an author can use: one line of what happened, and the guest's own frames.

use wasmtime::{Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::{epochs::CpuSpent, error::HandleError, message::BodyFault, state::State};

/// Frames that are reported.
const MAX_FRAMES: usize = 16;

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
    let panic = state.wasi.as_ref().and_then(|wasi| wasi.take_panic());
    HandleError::Trap { message: message(&error, panic), backtrace: frames(&error) }
}

fn message(error: &wasmtime::Error, panic: Option<String>) -> String {
    if let Some(panic) = panic {
        return panicked(&panic);
    }
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return format!("the guest called exit({})", exit.0);
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => "stack overflow: unbounded recursion, or too much on the stack".into(),
        Some(Trap::UnreachableCodeReached) => "the guest aborted (`unreachable`)".into(),
        Some(Trap::MemoryOutOfBounds) => "access to memory out of bounds".into(),
        Some(trap) => trap.to_string(),
        None => error.root_cause().to_string(),
    }
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

/// The guest's frames, innermost first, without those of the language's own runtime.
fn frames(error: &wasmtime::Error) -> Vec<String> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
    let mut all = Vec::new();
    for frame in backtrace.frames() {
        if frame.symbols().is_empty() {
            if let Some(name) = frame.func_name() {
                all.push((rustc_demangle(name), None));
            }
        }
        for symbol in frame.symbols() {
            let Some(name) = symbol.name().or(frame.func_name()) else { continue };
            let place = symbol.file().map(|file| (shorten(file), symbol.line(), symbol.column()));
            all.push((rustc_demangle(name), place));
        }
    }
    // The author's own frames, else all.
    let own = |(name, place): &&(String, Option<(String, Option<u32>, Option<u32>)>)| {
        !internal(name, place.as_ref().map(|place| place.0.as_str()))
    };
    let mut lines: Vec<String> = all.iter().filter(own).map(line).collect();
    if lines.is_empty() {
        lines = all.iter().map(line).collect();
    }
    lines.truncate(MAX_FRAMES);
    lines
}

fn line((name, place): &(String, Option<(String, Option<u32>, Option<u32>)>)) -> String {
    match place {
        Some((file, Some(line), Some(column))) => format!("{name} ({file}:{line}:{column})"),
        Some((file, Some(line), None)) => format!("{name} ({file}:{line})"),
        Some((file, ..)) => format!("{name} ({file})"),
        None => name.clone(),
    }
}

/// Not the author's: the standard library, allocator and libc, and the bindings that drive the handler.
fn internal(name: &str, file: Option<&str>) -> bool {
    const NAMES: [&str; 16] = [
        "std::", "core::", "alloc::", "<alloc::", "<core::", "<std::", "__rust", "rust_", "wit_bindgen::", "<wit_bindgen::",
        "dlmalloc::", "<dlmalloc::", "abort", "_start", "__wasm", "cabi_",
    ];
    const FILES: [&str; 6] =
        ["/library/std/", "/library/core/", "/library/alloc/", "/library/panic", "/wit-bindgen-", "/wasi-libc/"];
    NAMES.iter().any(|prefix| name.starts_with(prefix))
        || name.contains("[async-lift]")
        || file.is_some_and(|file| FILES.iter().any(|part| file.contains(part)) || file.starts_with("wit-bindgen-"))
}

/// `/home/x/.cargo/registry/src/index…/covet-0.1.0/src/lib.rs` → `covet-0.1.0/src/lib.rs`.
fn shorten(file: &str) -> String {
    match file.split_once("/registry/src/").and_then(|(_, rest)| rest.split_once('/')) {
        Some((_, rest)) => rest.to_owned(),
        None => file.to_owned(),
    }
}

/// Drops the hash that Rust appends: `blog::show::h0123456789abcdef` → `blog::show`.
fn rustc_demangle(name: &str) -> String {
    match name.rsplit_once("::h") {
        Some((path, hash)) if hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => path.to_owned(),
        _ => name.to_owned(),
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
    fn frames_of_the_runtime_are_told_from_the_authors() {
        assert!(internal("core::panicking::panic_fmt", Some("/rustc/abc/library/core/src/panicking.rs")));
        assert!(internal("whatever", Some("/usr/src/rustc-1.96/library/std/src/sys/x.rs")));
        assert!(!internal("blog::show", Some("src/lib.rs")));
        assert_eq!(rustc_demangle("blog::show::h0123456789abcdef"), "blog::show");
        assert_eq!(shorten("/root/.cargo/registry/src/index-1/covet-0.1.0/src/a.rs"), "covet-0.1.0/src/a.rs");
    }
}
