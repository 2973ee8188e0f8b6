//! The loops. Each mirrors an arm of `Native::run` in `benches/src/native.rs`: same rows, same order, same checks.

use std::hint::black_box;
use std::time::Instant;

use covet::prelude::*;

use crate::models::{Author, Hit, Post, User};

const USERS: u64 = 10_000;
const AUTHORS: u64 = 500;
const WRITERS: u64 = 64;

/// Each batch's mean in nanoseconds. A macro: an async closure per call would be measured along.
macro_rules! timed {
    ($n:expr, $batch:expr, |$i:ident| $body:expr) => {{
        let (n, batch) = ($n, $batch);
        let mut means = Vec::with_capacity((n / batch) as usize);
        let mut $i = 0u64;
        while $i + batch <= n {
            let start = Instant::now();
            for _ in 0..batch {
                black_box($body);
                $i += 1;
            }
            means.push(start.elapsed().as_nanos() as f64 / batch as f64);
        }
        Ok(means)
    }};
}

pub async fn run(work: &str, n: u64, batch: u64) -> Result<Vec<f64>> {
    match work {
        "pk" => timed!(n, batch, |i| {
            let user = User::get(user_of(i)).await?;
            user.age as usize + user.username.len()
        }),
        "join" => timed!(n, batch, |i| {
            let posts = Post::objects()
                .filter(Post::author().eq(author_of(i)))
                .select_related(Post::author())
                .limit(10)
                .all()
                .await?;
            expect(posts.len(), 10)?
        }),
        "rows" => timed!(n, batch, |_i| {
            let posts = Post::objects().order_by(Post::id()).limit(1000).all().await?;
            expect(posts.len(), 1000)?
        }),
        "count" => timed!(n, batch, |i| Post::objects().filter(Post::author().eq(author_of(i))).count().await?),
        "exists" => timed!(n, batch, |i| {
            User::objects().filter(User::username().eq(format!("user-{}", user_of(i)))).exists().await?
        }),
        "values" => timed!(n, batch, |i| {
            let rows = Post::objects()
                .filter(Post::author().eq(author_of(i)))
                .limit(10)
                .values((Post::title(), Post::views()))
                .all()
                .await?;
            expect(rows.len(), 10)?
        }),
        "only" => timed!(n, batch, |i| {
            let rows = Post::objects()
                .filter(Post::author().eq(author_of(i)))
                .limit(10)
                .only((Post::id(), Post::title()))
                .all()
                .await?;
            expect(rows.len(), 10)?
        }),
        "insert" => timed!(n, batch, |i| {
            let mut hit = Hit { id: Id::unsaved(), path: format!("/path/{i}"), hits: i as i64 };
            hit.save().await?;
            hit.id
        }),
        "update" => {
            let keys = hits(n).await?;
            timed!(n, batch, |i| {
                let changed =
                    Hit::objects().filter(Hit::id().eq(keys[i as usize])).update(Hit::hits().set(i as i64 + 1)).await?;
                expect(changed as usize, 1)?
            })
        }
        "delete" => {
            let keys = hits(n).await?;
            timed!(n, batch, |i| {
                let gone = Hit::objects().filter(Hit::id().eq(keys[i as usize])).delete().await?;
                expect(gone.rows() as usize, 1)?
            })
        }
        "writers" => writers(n).await,
        "cache" => {
            cache::set_bytes("bench:hit", [7u8; 100], minutes(5)).await?;
            timed!(n, batch, |_i| {
                let value = cache::get_bytes("bench:hit").await?;
                expect(value.map_or(0, |bytes| bytes.len()), 100)?
            })
        }
        other => Err(Error::bad_request(format!("no work {other:?}"))),
    }
}

/// 64 writers at once, each awaits its own inserts one after the other. One batch: the mean over all of them.
async fn writers(n: u64) -> Result<Vec<f64>> {
    let each = n / WRITERS;
    let writer = |number: u64| async move {
        for i in 0..each {
            let mut hit = Hit { id: Id::unsaved(), path: format!("/writer/{number}/{i}"), hits: i as i64 };
            hit.save().await?;
        }
        Ok::<(), Error>(())
    };
    let start = Instant::now();
    covet::futures::future::try_join_all((0..WRITERS).map(writer)).await?;
    Ok(vec![start.elapsed().as_nanos() as f64 / (each * WRITERS) as f64])
}

/// Stores `n` rows in one go; their keys.
async fn hits(n: u64) -> Result<Vec<Id<Hit>>> {
    Hit::objects().bulk_create((0..n).map(|i| Hit { id: Id::unsaved(), path: format!("/path/{i}"), hits: 0 })).await
}

fn user_of(i: u64) -> Id<User> {
    Id::from((i.wrapping_mul(7919) % USERS) as i64 + 1)
}

fn author_of(i: u64) -> Id<Author> {
    Id::from((i.wrapping_mul(7919) % AUTHORS) as i64 + 1)
}

fn expect(got: usize, want: usize) -> Result<usize> {
    if got == want {
        Ok(got)
    } else {
        Err(Error::internal(format!("{got} rows, {want} expected: is the database seeded?")))
    }
}
