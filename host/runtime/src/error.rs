//! What can go wrong, said so that somebody can act on it. Every message names the thing, the value, the limit and the way out.

use std::time::Duration;

use covet_orm::SchemaError;

/// The engine could not be made.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// wasmtime refused the settings, or the machine refused the memory they need.
    #[error("engine: {0}")]
    Engine(String),
    /// The directory for compiled code cannot be used.
    #[error("compile cache {path}: {reason}")]
    CacheDir { path: String, reason: String },
}

/// A plugin could not be loaded. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(
        "this is not WebAssembly: the file begins with {found}, a module begins with 00 61 73 6d; give the .wasm that `covet build` wrote"
    )]
    NotWasm { found: String },
    #[error(
        "this is a core WebAssembly module, not a component; build for the target wasm32-wasip2 (`covet build` does)"
    )]
    CoreModule,
    #[error("the component is broken: {0}")]
    Malformed(String),
    #[error(
        "the component is {bytes} bytes, the limit is {limit}; strip debug info (`strip = true`) or raise `limits.component`"
    )]
    TooLarge { bytes: u64, limit: u64 },
    #[error(
        "wrong world: the component does not export `{export}`; a plugin implements the world `covet:plugin/plugin@0.1.0` (`covet::plugin!` does)"
    )]
    MissingExport { export: String },
    #[error(
        "wrong world: the component imports `{import}`, which this host does not offer; it offers covet:*@0.1.0 and WASI 0.2"
    )]
    UnknownImport { import: String },
    #[error("wrong world: {0}; build the plugin against the same version of the `covet` crate as this host")]
    WrongTypes(String),
    #[error("the component needs more than an instance may have: {0}")]
    TooManyResources(String),
    #[error("compiling took longer than {}", human(.limit))]
    CompileTimeout { limit: Duration },
    #[error("compiling failed: {0}")]
    Compile(String),
    #[error("`describe` trapped: {0}")]
    DescribeTrap(String),
    #[error(
        "`describe` did not return within {}; it must only return data",
        human(.limit)
    )]
    DescribeTimeout { limit: Duration },
    #[error("route {route}: {reason}")]
    Route { route: String, reason: String },
    #[error("description: {0}")]
    Description(String),
    #[error("models: {0}")]
    Schema(#[from] SchemaError),
    #[error("the plugin could not be instantiated: {0}")]
    Instantiate(String),
}

impl LoadError {
    /// A stable code for APIs, as `core-module`.
    pub fn code(&self) -> &'static str {
        match self {
            LoadError::NotWasm { .. } => "not-wasm",
            LoadError::CoreModule => "core-module",
            LoadError::Malformed(_) => "malformed",
            LoadError::TooLarge { .. } => "too-large",
            LoadError::MissingExport { .. } | LoadError::UnknownImport { .. } | LoadError::WrongTypes(_) => {
                "wrong-world"
            }
            LoadError::TooManyResources(_) => "too-many-resources",
            LoadError::CompileTimeout { .. } => "compile-timeout",
            LoadError::Compile(_) => "compile-failed",
            LoadError::DescribeTrap(_) => "describe-trap",
            LoadError::DescribeTimeout { .. } => "describe-timeout",
            LoadError::Route { .. } => "bad-route",
            LoadError::Description(_) => "bad-description",
            LoadError::Schema(_) => "bad-schema",
            LoadError::Instantiate(_) => "instantiate-failed",
        }
    }
}

/// A request was not answered by its handler. The instance that ran it is gone, other requests are untouched. The
/// details were logged under the plugin's name already; a client gets the status only.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandleError {
    /// The guest trapped: a panic, an access out of bounds, a stack overflow, `unreachable`. 500.
    #[error("the handler trapped: {message}")]
    Trap {
        /// One line: the panic's message where there is one, else the trap's.
        message: String,
        /// The guest's own frames, innermost first, as `blog::show at src/lib.rs:12:5`.
        backtrace: Vec<String>,
    },
    /// `limits.deadline` passed on the wall clock. 504.
    #[error("the handler did not answer within {}", human(.limit))]
    Deadline { limit: Duration },
    /// `limits.cpu` was spent. 504.
    #[error("the handler used more than {} of processor time", human(.limit))]
    Cpu { limit: Duration },
    /// `limits.memory` was reached and the guest did not survive the refusal. 500.
    #[error("the handler needed more than {limit} bytes of memory")]
    Memory { limit: u64 },
    /// All instances are busy and the queue is full, or nothing became free in time. 503 with `Retry-After`.
    #[error("all instances of the plugin are busy; try again in {}", human(.retry_after))]
    Overloaded { retry_after: Duration },
    /// The request's content is past `limits.body`. 413.
    #[error("the request body is larger than {limit} bytes")]
    BodyTooLarge { limit: u64 },
    /// The client went away while its request body was being read.
    #[error("the request body broke off: {0}")]
    BodyBroken(String),
    /// The guest's answer breaks the rules of the wall. 500.
    #[error("the handler's response is not valid: {0}")]
    BadResponse(String),
    /// The plugin cannot serve: no instance can be made. 503.
    #[error("the plugin is not available: {0}")]
    Unavailable(String),
}

/// `1.5s`, `250ms`.
pub(crate) fn human(duration: &Duration) -> String {
    if duration.subsec_millis() == 0 || duration.as_secs() >= 60 {
        format!("{}s", duration.as_secs())
    } else if duration.as_secs() > 0 {
        format!("{:.1}s", duration.as_secs_f64())
    } else {
        format!("{}ms", duration.as_millis())
    }
}
