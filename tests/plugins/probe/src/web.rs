//! Requests and responses of every kind.

use std::collections::BTreeMap;

use covet::futures::{StreamExt, stream};
use covet::prelude::*;

#[get("/")]
async fn hello() -> &'static str {
    "Hello, World!"
}

/// Tests patch it in the built component, so that they can tell one generation from the next without a compiler.
static VERSION: &str = "probe-version-000001";

#[get("/version")]
async fn version() -> &'static str {
    std::hint::black_box(VERSION)
}

/// The same, after a while: a request that is in flight during a swap.
#[get("/slow-version/{ms}")]
async fn slow_version(ms: u64) -> &'static str {
    std::thread::sleep(millis(ms));
    std::hint::black_box(VERSION)
}

#[post("/echo")]
async fn echo_text(body: Bytes) -> Bytes {
    body
}

#[post("/echo/json")]
async fn echo_json(Json(body): Json<Point>) -> Json<Point> {
    Json(body)
}

#[derive(Serialize, Deserialize)]
struct Point {
    x: i64,
    y: i64,
    #[serde(default)]
    names: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Search {
    q: String,
    page: Option<u32>,
    #[serde(default)]
    tag: Vec<String>,
    #[serde(default)]
    exact: bool,
}

#[post("/echo/form")]
async fn echo_form(Form(form): Form<Search>) -> Json<Search> {
    Json(form)
}

#[get("/echo/query")]
async fn echo_query(Query(query): Query<Search>) -> Json<Search> {
    Json(query)
}

#[get("/echo/headers")]
async fn echo_headers(headers: Headers) -> Json<BTreeMap<String, Vec<String>>> {
    let mut map: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in headers.iter() {
        map.entry(name.into()).or_default().push(String::from_utf8_lossy(value).into_owned());
    }
    Json(map)
}

#[get("/echo/path/{first}/{second}")]
async fn echo_path(Path((first, second)): Path<(String, String)>) -> Json<(String, String)> {
    Json((first, second))
}

#[get("/echo/rest/{*rest}")]
async fn echo_rest(rest: String) -> String {
    rest
}

/// 400 for what is no number.
#[get("/number/{n}")]
async fn number(n: i64) -> String {
    n.to_string()
}

#[derive(Serialize)]
struct Seen {
    method: String,
    target: String,
    path: String,
    query: String,
    remote: String,
    body: String,
}

#[put("/request")]
async fn whole_request(mut request: Request) -> Result<Json<Seen>> {
    let body = request.take_body().collect().await?;
    Ok(Json(Seen {
        method: request.method().to_string(),
        target: request.target().into(),
        path: request.path().into(),
        query: request.query().into(),
        remote: request.remote().into(),
        body: String::from_utf8_lossy(&body).into_owned(),
    }))
}

/// Reads a body of any size with the memory of one chunk.
#[post("/stream/measure")]
async fn measure(mut body: BodyStream) -> String {
    let (mut bytes, mut sum) = (0usize, 0u64);
    while let Some(chunk) = body.next().await {
        bytes += chunk.len();
        sum += chunk.iter().map(|b| u64::from(*b)).sum::<u64>();
    }
    format!("{bytes} {sum}")
}

/// Sends what arrives while it arrives.
#[post("/stream/echo")]
async fn pass_through(body: BodyStream) -> Body {
    Body::stream(body.into_stream())
}

/// `n` lines, one chunk each.
#[get("/stream/count/{n}")]
async fn count(n: u32) -> Body {
    Body::stream(stream::iter(0..n).map(|i| format!("{i}\n")))
}

#[get("/stream/write/{n}")]
async fn written(n: u32) -> Response {
    Response::new(Body::write(async move |mut out| {
        for i in 0..n {
            out.write(format!("{i}\n")).await?;
        }
        Ok(())
    }))
    .header("content-type", "text/plain")
}

/// Fails in the middle: the client must notice.
#[get("/stream/broken")]
async fn broken_off() -> Body {
    Body::write(async |mut out| {
        out.write("the first half").await?;
        Err(Error::internal("no second half"))
    })
}

#[get("/events/{n}")]
async fn events(n: u32) -> Sse {
    let news =
        stream::iter(0..n).map(|i| Event::data(format!("line one of {i}\nline two")).event("tick").id(i.to_string()));
    Sse::new(stream::iter([Event::keep_alive()]).chain(news))
}

/// `kilobytes` of text in one piece.
#[get("/big/{kilobytes}")]
async fn big(kilobytes: usize) -> String {
    "0123456789abcde\n".repeat(64 * kilobytes)
}

#[get("/status/{code}")]
async fn status(code: u16) -> Result<(StatusCode, String)> {
    let status = StatusCode::from_u16(code).map_err(|_| Error::bad_request("no such status"))?;
    Ok((status, format!("status {code}")))
}

#[get("/html")]
async fn html() -> Html<&'static str> {
    Html("<h1>Probe</h1>")
}

#[post("/see-other")]
async fn see_other() -> Redirect {
    Redirect::to("/html")
}

#[get("/moved")]
async fn moved() -> Redirect {
    Redirect::permanent("/html")
}

#[delete("/nothing")]
async fn nothing() {}

#[get("/missing")]
async fn missing() -> Option<&'static str> {
    None
}

/// 500, and no word of it for the client.
#[get("/failing")]
async fn failing() -> Result<&'static str> {
    Err(Error::internal("the secret reason"))
}

struct Teapot;

impl From<Teapot> for covet::Error {
    fn from(_: Teapot) -> Self {
        Error::new(StatusCode::IM_A_TEAPOT, "teapot", "short and stout")
    }
}

#[get("/teapot")]
async fn teapot() -> Result<&'static str, Teapot> {
    Err(Teapot)
}

/// The same header twice.
#[get("/cookies")]
async fn cookies() -> Response {
    Response::new("set").header("set-cookie", "a=1").header("set-cookie", "b=2")
}

#[get("/config/{key}")]
async fn config_value(key: String) -> Option<String> {
    config::get(&key)
}

/// One line a level, and both streams of a process.
#[post("/log/{word}")]
async fn logs(word: String) {
    log::trace!("trace {word}");
    log::debug!("debug {word}");
    log::info!(word = word, "info {word}");
    log::warn!(target: "probe::elsewhere", "warn {word}");
    log::error!("error {word}");
    println!("stdout {word}");
    eprintln!("stderr {word}");
}

/// What a guest can see of the machine: nothing.
#[get("/environment")]
async fn environment() -> Json<(usize, usize, bool)> {
    let file = std::fs::read_dir("/").is_ok();
    Json((std::env::vars().count(), std::env::args().count(), file))
}

/// Random numbers come from the host.
#[get("/uuid")]
async fn new_uuid() -> String {
    format!("{} {}", Uuid::new_v4(), Uuid::now_v7())
}

/// Three host calls at once.
#[get("/join")]
async fn join_calls() -> Result<String> {
    let (rows, cached, set) = join!(
        crate::data::Row::objects().count(),
        cache::get::<String>("join"),
        cache::set("join", "value", seconds(10)),
    );
    set?;
    Ok(format!("{} {}", rows?, cached?.is_some()))
}
