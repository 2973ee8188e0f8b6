use covet::prelude::*;

struct Money(i64);

#[derive(Model)]
struct Offer {
    id: Id<Offer>,
    price: Money,
}

fn main() {}
