//! A request's way through the host: route, content, handler, response.
#![expect(
    clippy::result_large_err,
    reason = "an early response is moved once, and boxing it would cost every refusal an allocation"
)]

use std::{cell::RefCell, convert::Infallible, rc::Rc, sync::Arc};

use arc_swap::{ArcSwap, Cache};
use bytes::Bytes;
use covet_runtime::{
    HandleError, Head, Level, LogSink, Method, Request as GuestRequest, RequestBody, Response as GuestResponse,
    ResponseBody,
};
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode, Version,
    header::{ALLOW, CONNECTION, CONTENT_LENGTH, DATE, HOST, RETRY_AFTER, TE, TRAILER, TRANSFER_ENCODING, UPGRADE},
};
use hyper::{
    Request, Response,
    body::{Body as _, Incoming},
};

use crate::{
    config::ServerConfig,
    generations::Generations,
    http::{
        Handler,
        answers::{error, last_error, no_content},
        body::Body,
        connection::{Busy, Connection},
        content::{Content, ContentError},
    },
    logs::Logs,
    router::Match,
    snapshot::{Live, Snapshot},
};

/// Bytes of the longest request target; 414 beyond.
const MAX_TARGET: usize = 16 << 10;

/// What all connections of a worker thread share.
pub(crate) struct Front {
    view: RefCell<View>,
    config: Arc<ServerConfig>,
    logs: Arc<Logs>,
}

/// The outer count belongs to one thread: a request touches no count that threads share.
type Seen = Rc<Arc<Snapshot>>;

/// The thread's own view of what is published, renewed by one atomic load a request.
struct View {
    published: Cache<Arc<ArcSwap<Snapshot>>, Arc<Snapshot>>,
    mine: Seen,
}

impl View {
    fn load(&mut self) -> Seen {
        let now = self.published.load();
        if !Arc::ptr_eq(now, &self.mine) {
            self.mine = Rc::new(Arc::clone(now));
            // What an old generation left here goes now: a host that swaps often would fill its pool between two ticks.
            covet_runtime::reap();
        }
        Rc::clone(&self.mine)
    }
}

impl Front {
    pub fn new(generations: &Generations, config: Arc<ServerConfig>) -> Front {
        let mut published = Cache::new(Arc::clone(&generations.snapshot));
        let mine = Rc::new(Arc::clone(published.load()));
        Front { view: RefCell::new(View { published, mine }), config, logs: Arc::clone(&generations.logs) }
    }
}

impl Handler for Front {
    fn answer(
        self: &Rc<Self>,
        request: Request<Incoming>,
        connection: &Rc<Connection>,
    ) -> impl Future<Output = Result<Response<Body>, Infallible>> + 'static {
        let busy = Busy::new(connection);
        let (front, connection) = (Rc::clone(self), Rc::clone(connection));
        async move {
            let head = request.method() == http::Method::HEAD;
            let logged = front.config.access_log.then(|| Access::new(&request));
            let mut response = match front.route(request, &connection).await {
                Ok(response) | Err(response) => response,
            };
            if head {
                // RFC 9110 §9.3.2: the length that a GET would have had, and no content.
                if let Some(length) = response.body().len().filter(|_| !is_bodiless(response.status())) {
                    response.headers_mut().insert(CONTENT_LENGTH, length.into());
                }
                *response.body_mut() = Body::empty();
            }
            if let Some(access) = logged {
                access.log(response.status(), &connection.remote);
            }
            response.body_mut().hold(busy);
            Ok(response)
        }
    }

    fn tick(&self) {
        // A view that nobody asks for must not keep an old generation alive.
        drop(self.view.borrow_mut().load());
        covet_runtime::reap();
    }
}

/// Either way a response; an `Err` is one that the handler had no part in.
type Answer = Result<Response<Body>, Response<Body>>;

impl Front {
    async fn route(&self, request: Request<Incoming>, connection: &Connection) -> Answer {
        let (parts, body) = request.into_parts();
        let Some(method) = known(&parts.method) else { return Err(foreign(&parts.method)) };
        let snapshot = self.view.borrow_mut().load();
        let host = self.host(&parts, snapshot.table.uses_hosts())?;
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
        if target.len() > MAX_TARGET {
            let message = format!("the target is {} bytes, the limit is {MAX_TARGET}", target.len());
            return Err(last_error(StatusCode::URI_TOO_LONG, "target-too-long", &message));
        }
        // The star form asks about the server as a whole (RFC 9110 §9.3.7).
        if parts.uri.path() == "*" && method == Method::Options {
            let mut response = no_content();
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(ALL_METHODS));
            return Ok(response);
        }
        let found = snapshot
            .table
            .find(&host, parts.uri.path())
            .map_err(|bad| error(StatusCode::BAD_REQUEST, "bad-path", &bad.to_string()))?
            .ok_or_else(|| error(StatusCode::NOT_FOUND, "not-found", "nothing is served at this path"))?;
        let Some(route) = found.methods.get(method) else { return Err(unserved(method, &found)) };
        let Some(live) = snapshot.plugins.get(route.plugin as usize) else {
            return Err(error(StatusCode::NOT_FOUND, "not-found", "nothing is served at this path"));
        };
        let body = self.content(live, route.route, body).await?;
        let params = found.params.iter().map(AsRef::as_ref);
        let headers = parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let head = Head::new(parts.method.as_str(), target, params, headers, &connection.remote);
        match live.plugin.handle(GuestRequest { route: route.route, head, body }).await {
            Ok(response) => self.respond(live, response),
            Err(fault) => Err(self.failed(&fault)),
        }
    }

    async fn content(&self, live: &Live, route: u32, incoming: Incoming) -> Result<RequestBody, Response<Body>> {
        if incoming.is_end_stream() {
            return Ok(RequestBody::Empty);
        }
        let streams = live.plugin.description().routes.get(route as usize).is_some_and(|route| route.stream_body);
        let refused = |why: ContentError| match why {
            ContentError::TooLarge(limit) => too_large(limit),
            ContentError::Slow => {
                last_error(StatusCode::REQUEST_TIMEOUT, "body-timeout", "the request body came too slowly")
            }
            ContentError::Broken(why) => last_error(StatusCode::BAD_REQUEST, "bad-body", &why),
        };
        let content = Content::new(incoming, live.plugin.limits().body, self.config.body_timeout).map_err(refused)?;
        if streams {
            return Ok(RequestBody::Stream(Box::pin(content)));
        }
        content.collect().await.map(RequestBody::Bytes).map_err(refused)
    }

    fn respond(&self, live: &Live, response: GuestResponse) -> Answer {
        let status = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut out = Response::new(match response.body {
            _ if is_bodiless(status) => Body::empty(),
            ResponseBody::Empty => Body::empty(),
            ResponseBody::Bytes(bytes) => Body::whole(bytes),
            ResponseBody::Stream(stream) => Body::plugin(stream),
        });
        *out.status_mut() = status;
        for (name, value) in response.headers.shared() {
            if let Err(why) = append(out.headers_mut(), name, value) {
                let message = format!("the handler's response is not valid: {why}");
                self.logs.write(&live.name, live.artifact.generation, Level::Error, "covet", &message);
                return Err(self.failed(&HandleError::BadResponse(why)));
            }
        }
        Ok(out)
    }

    /// What a client gets to know of a fault that the log has in full.
    fn failed(&self, fault: &HandleError) -> Response<Body> {
        let (status, code, message) = match fault {
            HandleError::Trap { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "trap", "the handler failed"),
            HandleError::Memory { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "memory", "the handler failed"),
            HandleError::BadResponse(_) => (StatusCode::INTERNAL_SERVER_ERROR, "bad-response", "the handler failed"),
            HandleError::Deadline { .. } => {
                (StatusCode::GATEWAY_TIMEOUT, "deadline", "the handler did not answer in time")
            }
            HandleError::Cpu { .. } => (StatusCode::GATEWAY_TIMEOUT, "cpu", "the handler did not answer in time"),
            HandleError::Overloaded { .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, "overloaded", "too many requests at once; try again")
            }
            HandleError::Unavailable(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the plugin is not available; try again")
            }
            HandleError::BodyTooLarge { limit } => return too_large(*limit),
            HandleError::BodyBroken(why) => return last_error(StatusCode::BAD_REQUEST, "bad-body", why),
        };
        let mut response =
            if self.config.expose_errors { error(status, code, &in_full(fault)) } else { error(status, code, message) };
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let seconds = match fault {
                HandleError::Overloaded { retry_after } => {
                    retry_after.as_millis().div_ceil(1_000).clamp(1, 3_600) as u64
                }
                _ => 1,
            };
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }

    /// The host that is asked for, lower-case, without port. RFC 9112 §3.2: exactly one `host`, or 400.
    fn host(&self, parts: &http::request::Parts, needed: bool) -> Result<String, Response<Body>> {
        let bad = |message: &str| Err(last_error(StatusCode::BAD_REQUEST, "bad-host", message));
        let mut values = parts.headers.get_all(HOST).iter();
        let header = values.next();
        if values.next().is_some() {
            return bad("the request has more than one host header");
        }
        if header.is_none() && parts.version == Version::HTTP_11 {
            return bad("the request has no host header");
        }
        // An absolute target wins over the header (RFC 9112 §3.2.2).
        let authority = match (parts.uri.authority(), header) {
            (Some(authority), _) => authority.as_str().as_bytes(),
            (None, Some(header)) => header.as_bytes(),
            (None, None) => b"",
        };
        let forbidden = |byte: &u8| {
            !byte.is_ascii_graphic() || matches!(byte, b'/' | b'@' | b'?' | b'#' | b'\\' | b'<' | b'>' | b'"')
        };
        if authority.iter().any(forbidden) {
            return bad("the host header is not a host name");
        }
        if !needed && self.config.hosts.is_empty() {
            return Ok(String::new());
        }
        let authority = std::str::from_utf8(authority).unwrap_or_default();
        let name = match authority.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => authority,
        };
        let name = name.to_ascii_lowercase();
        if !self.config.hosts.is_empty() && !self.config.hosts.contains(&name) {
            return Err(error(StatusCode::MISDIRECTED_REQUEST, "unknown-host", "this host name is not served here"));
        }
        Ok(name)
    }
}

/// A fault with the guest's own frames.
fn in_full(fault: &HandleError) -> String {
    let mut text = fault.to_string();
    if let HandleError::Trap { backtrace, .. } = fault {
        for frame in backtrace {
            text.push_str("\n  ");
            text.push_str(frame);
        }
    }
    text
}

/// RFC 9110 §15.3.5, §15.3.6, §15.4.5: these have no content.
fn is_bodiless(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED)
}

const ALL_METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// A method that no plugin can serve: known to HTTP and refused (RFC 9110 §9.3.6, §9.3.8), or not known at all.
fn foreign(method: &http::Method) -> Response<Body> {
    if !matches!(*method, http::Method::CONNECT | http::Method::TRACE) {
        let message = format!("{method} is not a method that this server knows; it knows {ALL_METHODS}");
        return last_error(StatusCode::NOT_IMPLEMENTED, "unknown-method", &message);
    }
    let message = format!("{method} is not served here");
    let mut response = last_error(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", &message);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(ALL_METHODS));
    response
}

/// OPTIONS is answered for every path that is served; anything else is 405. Both say what is.
fn unserved(method: Method, found: &Match<'_, '_>) -> Response<Body> {
    let mut response = if method == Method::Options {
        no_content()
    } else {
        let message = format!("{method} is not served at this path");
        error(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", &message)
    };
    response.headers_mut().insert(ALLOW, found.methods.allow.clone());
    response
}

fn known(method: &http::Method) -> Option<Method> {
    Some(match *method {
        http::Method::GET => Method::Get,
        http::Method::HEAD => Method::Head,
        http::Method::POST => Method::Post,
        http::Method::PUT => Method::Put,
        http::Method::PATCH => Method::Patch,
        http::Method::DELETE => Method::Delete,
        http::Method::OPTIONS => Method::Options,
        _ => return None,
    })
}

/// Takes a header over from a guest; what belongs to the connection is the host's and is left out.
fn append(headers: &mut HeaderMap, name: &str, value: Bytes) -> Result<(), String> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("{name:?} is not a header name"))?;
    if matches!(name, CONNECTION | CONTENT_LENGTH | TRANSFER_ENCODING | UPGRADE | DATE | TE | TRAILER)
        || matches!(name.as_str(), "keep-alive" | "proxy-connection")
    {
        return Ok(());
    }
    let value = HeaderValue::from_maybe_shared(value)
        .map_err(|_| format!("the value of {name} holds a control character; encode it"))?;
    headers.append(name, value);
    Ok(())
}

/// What is left of the request is not read: the connection ends with this answer.
fn too_large(limit: u64) -> Response<Body> {
    let message = format!("the request body is larger than {limit} bytes");
    last_error(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", &message)
}

/// A line of the access log.
struct Access {
    method: http::Method,
    uri: http::Uri,
    start: std::time::Instant,
}

impl Access {
    fn new(request: &Request<Incoming>) -> Access {
        Access { method: request.method().clone(), uri: request.uri().clone(), start: std::time::Instant::now() }
    }

    fn log(self, status: StatusCode, remote: &str) {
        let micros = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        tracing::info!(target: "access", method = %self.method, uri = %self.uri, status = status.as_u16(), micros, remote);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Size of what a function returns.
    fn size<A, R>(_: impl FnOnce(A) -> R) -> usize {
        size_of::<R>()
    }

    /// hyper moves it, as a whole, into its place for every request.
    #[test]
    fn the_future_of_a_request_is_small() {
        let plugin = size(|(plugin, request): (&'static covet_runtime::Plugin, GuestRequest)| plugin.handle(request));
        let route = size(|(front, request, connection): (&'static Front, Request<Incoming>, &'static Connection)| {
            front.route(request, connection)
        });
        let whole =
            size(|(front, request, connection): (&'static Rc<Front>, Request<Incoming>, &'static Rc<Connection>)| {
                front.answer(request, connection)
            });
        // The plugin's part is the runtime's business; what is around it must not grow.
        assert!(whole - plugin < 1_280, "{whole} bytes: route {route}, of which the plugin's {plugin}");
    }
}
