//! What `make bench` deploys: small handlers to load with `wrk`, and loops that time calls of the wall from inside.
//!
//! `GET /bench/WORK?n=…&batch=…` does a piece of work `n` times and answers each batch's mean in nanoseconds by the
//! guest's monotonic clock. The driver (`benches/`) does the same natively between two such requests.

mod models;
mod work;

use covet::prelude::*;

use models::{Author, Hit, Post, User};

#[get("/hello")]
async fn hello() -> &'static str {
    "Hello, World!"
}

/// One row by primary key, as JSON.
#[get("/users/{id}")]
async fn user(id: Id<User>) -> Result<Json<User>> {
    Ok(Json(User::get(id).await?))
}

/// Read from memory, so that the benchmark can write another number over it in the component's data.
static MARKER: [u8; 27] = *b"covet-bench-marker-00000000";

/// Which build answers.
#[get("/marker")]
async fn marker() -> String {
    String::from_utf8_lossy(std::hint::black_box(&MARKER)).into_owned()
}

#[derive(Deserialize)]
struct NewHit {
    path: String,
    hits: i64,
}

/// One durable insert.
#[post("/hits")]
async fn hit(new: Json<NewHit>) -> Result<Json<Id<Hit>>> {
    let NewHit { path, hits } = new.0;
    let mut hit = Hit { id: Id::unsaved(), path, hits };
    hit.save().await?;
    Ok(Json(hit.id))
}

#[derive(Deserialize)]
struct Loop {
    n: u64,
    batch: u64,
}

#[derive(Serialize)]
struct Timing {
    batches: Vec<f64>,
}

#[get("/bench/{work}")]
async fn bench(work: String, times: Query<Loop>) -> Result<Json<Timing>> {
    let Loop { n, batch } = times.0;
    let batches = work::run(&work, n, batch.max(1)).await?;
    Ok(Json(Timing { batches }))
}

#[derive(Deserialize)]
struct Counts {
    users: i64,
    authors: i64,
    posts: i64,
}

/// Fills the tables; does nothing when they are filled.
#[post("/seed")]
async fn seed(counts: Query<Counts>) -> Result<Json<i64>> {
    let Counts { users, authors, posts } = counts.0;
    models::seed(users, authors, posts).await?;
    Ok(Json(users + authors + posts))
}

#[derive(Deserialize)]
struct Amount {
    n: u64,
}

#[derive(Serialize)]
struct Instances {
    count: usize,
    size_of: usize,
    heap: usize,
}

/// What loaded instances weigh: their own size, and the heap that their strings hold.
#[get("/memory")]
async fn memory(amount: Query<Amount>) -> Result<Json<Instances>> {
    let posts = Post::objects().limit(amount.0.n).all().await?;
    Ok(Json(Instances {
        count: posts.len(),
        size_of: size_of::<Post>(),
        heap: posts.iter().map(|post| allocated(post.title.capacity())).sum(),
    }))
}

/// Bytes that dlmalloc, the allocator of wasm32-wasip2, takes for so many: a word before them, in steps of 8, 16 at least.
fn allocated(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { (bytes + 4).next_multiple_of(8).max(16) }
}

covet::plugin! {
    models: [User, Author, Post, Hit],
    routes: [hello, user, marker, hit, bench, seed, memory],
}
