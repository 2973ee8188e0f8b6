//! Rows, as the SDK decodes them into structs: any bytes give rows or an error.
#![no_main]

use covet::prelude::*;

#[derive(Model)]
pub struct Author {
    pub id: Id<Author>,
    pub name: String,
    pub email: Option<Email>,
}

#[derive(Model)]
pub struct Post {
    pub id: Id<Post>,
    #[field(max_length = 200)]
    pub title: String,
    pub author: ForeignKey<Author>,
    #[field(digits = 30, scale = 4)]
    pub price: Decimal,
    pub created_at: DateTime<Utc>,
    pub score: Option<f64>,
    pub tags: Json<Vec<String>>,
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut decoder = minicbor::Decoder::new(bytes);
    let _ = <Post as Model>::decode(&mut decoder);
});
