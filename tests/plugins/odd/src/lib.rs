//! Misbehaves in `describe`. The tests patch the byte behind the marker: `T` traps, `H` hangs, anything else behaves.

use covet::prelude::*;

static MODE: [u8; 17] = *b"odd-plugin-mode=.";

/// Runs in `describe`, where defaults of fields are asked for.
fn size() -> i64 {
    // Read as volatile: the byte is changed in the compiled component.
    // SAFETY: a plain read of a static.
    match unsafe { std::ptr::read_volatile(&MODE) }[16] {
        b'T' => std::process::abort(),
        b'H' => loop {
            std::hint::black_box(());
        },
        _ => 7,
    }
}

#[derive(Model)]
pub struct Odd {
    pub id: Id<Odd>,
    #[field(default = size())]
    pub size: i64,
}

#[get("/")]
async fn root() -> &'static str {
    "odd"
}

covet::plugin! { models: [Odd], routes: [root] }
