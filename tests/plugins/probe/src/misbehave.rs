//! What no plugin should do. Each costs its own request, and nobody else's.

use std::hint::black_box;

use covet::prelude::*;

/// Never returns, never waits.
#[get("/loop")]
async fn spin() -> &'static str {
    let mut n = 0u64;
    loop {
        n = black_box(n.wrapping_add(1));
        if n == u64::MAX {
            return "the end of time";
        }
    }
}

/// Takes memory until there is none.
#[get("/alloc")]
async fn alloc() -> String {
    let mut hoard: Vec<Vec<u8>> = Vec::new();
    loop {
        hoard.push(black_box(vec![1; 1 << 20]));
        if hoard.len() > 1 << 20 {
            return hoard.len().to_string();
        }
    }
}

#[get("/recurse")]
async fn recurse() -> String {
    deeper(1).to_string()
}

#[allow(unconditional_recursion)]
fn deeper(n: u64) -> u64 {
    let room = black_box([n; 64]);
    black_box(deeper(n + 1)) + room[(n % 64) as usize]
}

#[get("/panic")]
async fn panic() -> &'static str {
    panic!("on purpose")
}

#[get("/index/{n}")]
async fn index_out_of_bounds(n: usize) -> String {
    let three = black_box([1, 2, 3]);
    three[n].to_string()
}

/// Says more than anybody wants to know.
#[get("/flood/{lines}")]
async fn flood(lines: u32) -> String {
    for n in 0..lines {
        log::info!("line {n} of a flood that nobody asked for, with some words to make it long");
    }
    lines.to_string()
}

/// The same by way of standard output.
#[get("/print/{lines}")]
async fn print(lines: u32) -> String {
    for n in 0..lines {
        println!("printed {n}");
    }
    lines.to_string()
}

/// Waits for what never comes.
#[get("/hang")]
async fn hang() -> &'static str {
    std::future::pending::<()>().await;
    "never"
}

/// Sleeps in the host.
#[get("/sleep/{ms}")]
async fn sleep(ms: u64) -> String {
    std::thread::sleep(millis(ms));
    format!("slept {ms} ms")
}

/// A status that a handler must not send.
#[get("/bad-status")]
async fn bad_status() -> StatusCode {
    StatusCode::CONTINUE
}

/// A header that would split the response.
#[get("/bad-header")]
async fn bad_header() -> Response {
    Response::new("x").header("x-evil", "a\r\nx-injected: b")
}

/// Begins a response and traps in the middle of it.
#[get("/half-a-body")]
async fn half_a_body() -> Body {
    Body::write(async |mut out| {
        out.write("half").await?;
        panic!("the other half is missing")
    })
}

/// Never stops sending.
#[get("/endless-body")]
async fn endless_body() -> Body {
    Body::stream(covet::futures::stream::repeat("0123456789abcdef".repeat(1024)))
}

/// More queries than one request may send.
#[get("/many-queries/{n}")]
async fn many_queries(n: u32) -> Result<String> {
    for _ in 0..n {
        crate::data::Row::objects().count().await?;
    }
    Ok(n.to_string())
}
