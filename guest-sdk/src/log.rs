//! The plugin's log: [`trace!`], [`debug!`], [`info!`], [`warn!`], [`error!`], in the shape of the `log` and `tracing`
//! crates. What `println!` and `eprintln!` write arrives there as well.
//!
//! ```no_run
//! use covet::log;
//!
//! let (user, took) = ("ada", 12);
//! log::info!("signed in");
//! log::warn!("slow: {took} ms for {user}");
//! log::info!(user = user, took = took, "signed in");  // appended as `user=ada took=12`
//! log::debug!(target: "blog::feed", "rebuilt");
//! ```
//!
//! A line below the level that the operator keeps costs one comparison; its arguments are not formatted.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::bindings::covet::log::log as wit;

pub use crate::bindings::covet::log::log::Level;
#[doc(inline)]
pub use crate::{__debug as debug, __error as error, __info as info, __trace as trace, __warn as warn};

/// Not asked yet.
const UNKNOWN: u8 = u8::MAX;
static LEVEL: AtomicU8 = AtomicU8::new(UNKNOWN);

/// True when lines of this level are kept. The host is asked once an instance.
#[inline]
pub fn enabled(level: Level) -> bool {
    let lowest = match LEVEL.load(Ordering::Relaxed) {
        UNKNOWN => ask(),
        lowest => lowest,
    };
    level as u8 >= lowest
}

#[cold]
fn ask() -> u8 {
    // Outside of the host (native tests) lines go to standard error.
    let lowest = if cfg!(target_arch = "wasm32") { wit::enabled() as u8 } else { Level::Trace as u8 };
    LEVEL.store(lowest, Ordering::Relaxed);
    lowest
}

/// Writes one line, if its level is kept. The macros are the usual way.
pub fn write(level: Level, target: &str, message: &str) {
    if !enabled(level) {
        return;
    }
    if cfg!(target_arch = "wasm32") {
        wit::write(level, target, message);
    } else {
        eprintln!("{level:?} {target}: {message}");
    }
}

#[doc(hidden)]
#[macro_export]
macro_rules! __log {
    ($level:ident, target: $target:expr, $($key:ident = $value:expr),+ , $format:literal $($rest:tt)*) => {
        if $crate::log::enabled($crate::log::Level::$level) {
            let mut line = ::std::format!($format $($rest)*);
            $({
                use ::std::fmt::Write as _;
                let _ = ::std::write!(line, concat!(" ", stringify!($key), "={}"), $value);
            })+
            $crate::log::write($crate::log::Level::$level, $target, &line);
        }
    };
    ($level:ident, target: $target:expr, $format:literal $($rest:tt)*) => {
        if $crate::log::enabled($crate::log::Level::$level) {
            $crate::log::write($crate::log::Level::$level, $target, &::std::format!($format $($rest)*));
        }
    };
    ($level:ident, $($rest:tt)*) => {
        $crate::__log!($level, target: ::std::module_path!(), $($rest)*)
    };
}

/// A line for whoever hunts a bug step by step.
#[macro_export]
#[doc(hidden)]
macro_rules! __trace { ($($t:tt)*) => { $crate::__log!(Trace, $($t)*) }; }
/// A line for developers.
#[macro_export]
#[doc(hidden)]
macro_rules! __debug { ($($t:tt)*) => { $crate::__log!(Debug, $($t)*) }; }
/// A line about what happened.
#[macro_export]
#[doc(hidden)]
macro_rules! __info { ($($t:tt)*) => { $crate::__log!(Info, $($t)*) }; }
/// A line about what should not have happened.
#[macro_export]
#[doc(hidden)]
macro_rules! __warn { ($($t:tt)*) => { $crate::__log!(Warn, $($t)*) }; }
/// A line about what failed.
#[macro_export]
#[doc(hidden)]
macro_rules! __error { ($($t:tt)*) => { $crate::__log!(Error, $($t)*) }; }
