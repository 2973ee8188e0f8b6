//! The admin API: JSON over HTTP, on a listener of its own, behind a bearer token.
//!
//! | request | answer |
//! |---|---|
//! | `GET /v1/health` | versions, memory, counters |
//! | `GET /v1/plugins` | all plugins |
//! | `GET /v1/plugins/NAME` | one, with routes, models, limits, earlier generations |
//! | `PUT /v1/plugins/NAME?mount=/x&host=h` | deploys the component in the body |
//! | `POST /v1/plugins/NAME/rollback` | back to the generation before |
//! | `DELETE /v1/plugins/NAME` | stops serving it |
//! | `GET /v1/plugins/NAME/logs?tail=100&follow=1` | lines as NDJSON |
//! | `GET /v1/routes` | every route |
//!
//! Errors are `{"error":{"code","message"}}`.

mod token;
mod view;

use std::{borrow::Cow, convert::Infallible, rc::Rc, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{SinkExt, channel::mpsc};
use http::{HeaderValue, Method, StatusCode, header};
use hyper::{Request, Response, body::Incoming};
use tokio::sync::broadcast;

pub(crate) use self::token::Token;
use crate::{
    generations::{DeployError, Generations, Placement},
    http::{
        Handler,
        answers::{error, last_error},
        body::Body,
        connection::{Busy, Connection},
        content::{Content, ContentError},
    },
    logs::Line,
};

/// Longest silence of an upload.
const UPLOAD_SILENCE: Duration = Duration::from_secs(30);
/// How often a followed log says that it still lives.
const FOLLOW_BEAT: Duration = Duration::from_secs(15);

pub(crate) struct Admin {
    pub generations: Arc<Generations>,
    pub token: Token,
    pub max_upload: u64,
}

type Answer = Response<Body>;

impl Handler for Admin {
    fn answer(
        self: &Rc<Self>,
        request: Request<Incoming>,
        connection: &Rc<Connection>,
    ) -> impl Future<Output = Result<Answer, Infallible>> + 'static {
        let busy = Busy::new(connection);
        let admin = Rc::clone(self);
        async move {
            let mut answer = admin.serve(request).await;
            answer.body_mut().hold(busy);
            Ok(answer)
        }
    }
}

impl Admin {
    async fn serve(&self, request: Request<Incoming>) -> Answer {
        let given = request.headers().get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
        if !self.token.matches(given) {
            let mut answer = error(
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                "send the admin token as `authorization: Bearer TOKEN`; it is in COVET_ADMIN_TOKEN or in admin.token of the state directory",
            );
            answer
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"covet admin\""));
            return answer;
        }
        let path = request.uri().path().to_owned();
        let query = request.uri().query().unwrap_or_default().to_owned();
        let parameter = |name: &str| {
            form_urlencoded::parse(query.as_bytes())
                .find(|(key, _)| key == name)
                .map(|(_, value): (_, Cow<'_, str>)| value.into_owned())
        };
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let method = request.method().clone();
        match (method, segments.as_slice()) {
            (Method::GET, ["v1", "health"]) => json(&self.health()),
            (Method::GET, ["v1", "routes"]) => json(&view::routes(&self.generations.snapshot.load())),
            (Method::GET, ["v1", "plugins"]) => {
                json(&view::plugins(&self.generations.snapshot.load(), &self.generations.shown()))
            }
            (Method::GET, ["v1", "plugins", name]) => {
                match view::plugin(name, &self.generations.snapshot.load(), &self.generations.shown()) {
                    Some(shown) => json(&shown),
                    None => refused(&DeployError::Unknown((*name).to_owned())),
                }
            }
            (Method::PUT, ["v1", "plugins", name]) => {
                let name = (*name).to_owned();
                let placement = Placement { mount: parameter("mount"), host: parameter("host") };
                self.deploy(&name, placement, request.into_body()).await
            }
            (Method::POST, ["v1", "plugins", name, "rollback"]) => match self.generations.rollback(name).await {
                Ok(live) => json(&view::live(&live)),
                Err(why) => refused(&why),
            },
            (Method::DELETE, ["v1", "plugins", name]) => match self.generations.remove(name).await {
                Ok(()) => json(&serde_json::json!({ "plugin": name, "removed": true })),
                Err(why) => refused(&why),
            },
            (Method::GET, ["v1", "plugins", name, "logs"]) => {
                let tail = parameter("tail").and_then(|tail| tail.parse().ok()).unwrap_or(100);
                let follow = parameter("follow").is_some_and(|follow| matches!(follow.as_str(), "1" | "true"));
                self.logs(name, tail, follow)
            }
            (_, ["v1", "health" | "routes" | "plugins", ..]) => {
                error(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "not with this method; see docs/plugins.md")
            }
            _ => error(StatusCode::NOT_FOUND, "not-found", "the admin API has no such path; see docs/plugins.md"),
        }
    }

    async fn deploy(&self, name: &str, placement: Placement, body: Incoming) -> Answer {
        let uploaded = match Content::new(body, self.max_upload, UPLOAD_SILENCE) {
            Ok(content) => content.collect().await,
            Err(refused) => Err(refused),
        };
        let wasm = match uploaded {
            Ok(wasm) => wasm,
            Err(ContentError::TooLarge(limit)) => {
                let message = format!("the component is larger than admin.max_upload = {limit} bytes");
                return last_error(StatusCode::PAYLOAD_TOO_LARGE, "too-large", &message);
            }
            Err(ContentError::Slow) => {
                let message = "the upload stood still; nothing has changed";
                return last_error(StatusCode::REQUEST_TIMEOUT, "upload-timeout", message);
            }
            Err(ContentError::Broken(why)) => {
                tracing::warn!(plugin = name, "an upload broke off, nothing has changed: {why}");
                return last_error(
                    StatusCode::BAD_REQUEST,
                    "upload-broken",
                    "the upload broke off; nothing has changed",
                );
            }
        };
        match self.generations.deploy(name, &wasm, placement).await {
            Ok(deployed) => {
                let live = &deployed.live;
                tracing::info!(
                    plugin = name,
                    generation = live.artifact.generation,
                    mount = live.artifact.mount,
                    "deployed"
                );
                json(&view::deployed(&deployed))
            }
            Err(why) => {
                tracing::warn!(plugin = name, code = why.code(), "deploy refused: {why}");
                refused(&why)
            }
        }
    }

    fn logs(&self, name: &str, tail: usize, follow: bool) -> Answer {
        if !self.generations.shown().desired.plugins.contains_key(name) {
            return refused(&DeployError::Unknown(name.to_owned()));
        }
        let (lines, receiver) = self.generations.logs.tail(name, tail);
        let past: String = lines.iter().map(|line| ndjson(line)).collect();
        let content = match receiver.filter(|_| follow) {
            Some(receiver) => {
                let (sender, lines) = mpsc::channel(16);
                tokio::task::spawn_local(follow_on(past, receiver, sender));
                Body::lines(lines)
            }
            None => Body::whole(past),
        };
        let mut answer = Response::new(content);
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
        answer
    }

    fn health(&self) -> serde_json::Value {
        let snapshot = self.generations.snapshot.load();
        serde_json::json!({
            "status": if self.generations.shown().broken.is_empty() { "ok" } else { "degraded" },
            "broken": self.generations.shown().broken,
            "version": env!("CARGO_PKG_VERSION"),
            "plugins": snapshot.plugins.len(),
            "cache": view::cache(&self.generations.cache().stats()),
            "memory_used": self.generations.engine().memory_used(),
            "max_instances": self.generations.engine().max_instances(),
        })
    }
}

/// Sends lines until nobody reads any more.
async fn follow_on(past: String, mut receiver: broadcast::Receiver<Arc<Line>>, mut sender: mpsc::Sender<Bytes>) {
    use broadcast::error::RecvError;
    let mut text = past;
    while sender.send(text.into()).await.is_ok() {
        text = match tokio::time::timeout(FOLLOW_BEAT, receiver.recv()).await {
            // An empty line keeps the connection alive and notices when nobody reads.
            Err(_) => "\n".to_owned(),
            Ok(Ok(line)) => ndjson(&line),
            Ok(Err(RecvError::Lagged(count))) => {
                let message = format!("{count} lines were missed");
                format!("{}\n", serde_json::json!({ "level": "warn", "target": "covet", "message": message }))
            }
            Ok(Err(RecvError::Closed)) => return,
        };
    }
}

fn ndjson(line: &Line) -> String {
    serde_json::to_string(line).map(|text| text + "\n").unwrap_or_default()
}

fn json(value: &impl serde::Serialize) -> Answer {
    let Ok(bytes) = serde_json::to_vec(value) else {
        return error(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the answer cannot be written as JSON");
    };
    let mut answer = Response::new(Body::whole(bytes));
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

fn refused(why: &DeployError) -> Answer {
    let status = StatusCode::from_u16(why.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    error(status, why.code(), &why.to_string())
}
