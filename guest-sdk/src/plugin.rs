//! What stands between `covet::plugin!` and the wall: the description, and the way of one request.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::bindings::covet::http::requests;
use crate::bindings::exports::covet::plugin::description as wit;
use crate::http::{IntoResponse, Request, Response, StatusCode};
use crate::log;
use crate::model::meta::ModelMeta;

pub use wit::Method;

/// What built the plugin.
const SDK: &str = concat!("covet-rust/", env!("CARGO_PKG_VERSION"));

/// One handler and the requests it answers.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// The request's method.
    pub method: Method,
    /// As in the attribute: `/posts/{id}`.
    pub path: &'static str,
    /// The function's name.
    pub handler: &'static str,
    /// True when it reads the content as it arrives.
    pub stream_body: bool,
}

/// A function under `#[get("…")]` or one of its siblings. Implemented by those attributes.
#[allow(async_fn_in_trait)] // A guest has one thread.
pub trait Handler {
    /// What it answers.
    const ROUTE: Route;

    /// Answers a request.
    async fn call(request: Request) -> Response;
}

/// For `plugin!`.
#[doc(hidden)]
pub fn describe(name: &str, version: &str, routes: &[Route], models: &[&'static ModelMeta]) -> wit::PluginDescription {
    hook();
    wit::PluginDescription {
        name: name.into(),
        version: version.into(),
        sdk: SDK.into(),
        routes: routes
            .iter()
            .map(|route| wit::Route {
                method: route.method,
                path: route.path.into(),
                handler: route.handler.into(),
                stream_body: route.stream_body,
            })
            .collect(),
        models: with_between(models).iter().map(|model| model.to_wire()).collect(),
    }
}

/// The models, and those of tables between that belong to them.
fn with_between(models: &[&'static ModelMeta]) -> Vec<&'static ModelMeta> {
    let mut all = models.to_vec();
    for model in models.iter().flat_map(|model| model.between).map(|model| model()) {
        if !all.iter().any(|known| std::ptr::eq(*known, model)) {
            all.push(model);
        }
    }
    all
}

/// For `plugin!`: answers this instance's requests, one after the other, for as long as there are any.
#[doc(hidden)]
pub async fn serve(handle: impl AsyncFn(u32, Request) -> Response) {
    hook();
    while let Some(request) = requests::next() {
        let (response, rest) = handle(request.route, Request::new(request)).await.into_wire();
        requests::answer(response);
        if let Some(rest) = rest {
            rest.await;
        }
    }
}

/// For `plugin!`: the host asked for a route that the plugin did not describe.
#[doc(hidden)]
#[cold]
pub fn no_such_route(route: u32) -> Response {
    log::write(log::Level::Error, "covet", &format!("the host asked for route {route}, which does not exist"));
    StatusCode::NOT_FOUND.into_response()
}

/// A panic traps (`panic = "abort"`), so its message has to be in the log before: once an instance.
fn hook() {
    static DONE: AtomicBool = AtomicBool::new(false);
    if !DONE.load(Ordering::Relaxed) {
        DONE.store(true, Ordering::Relaxed);
        if cfg!(target_arch = "wasm32") {
            std::panic::set_hook(Box::new(|info| {
                log::write(log::Level::Error, "panic", &info.to_string());
            }));
        }
    }
}
