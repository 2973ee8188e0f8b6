use covet::prelude::*;

#[derive(Choices, Clone, Copy)]
enum Status {
    Draft,
    Scheduled(u32),
}

fn main() {}
