//! From parameter bytes to database values: the part of every call that reads what a plugin sent.
//!
//! Parameters are one CBOR array (RFC 8949) of definite length, whose items are scalars, or arrays of scalars for `in` and
//! `range`. Tags, maps and indefinite lengths are refused. Nothing here recurses or allocates more than a small multiple of
//! the bytes at hand.

mod array;
mod compare;
mod json;
mod params;
mod text;
mod value;

pub use array::MAX_ARRAY;
pub(crate) use text::MAX_IP;
pub use text::{MAX_EMAIL, MAX_JSON_BYTES, MAX_JSON_DEPTH, MAX_URL};
pub use value::{MAX_LIST, MAX_PATTERN};

pub(crate) use params::{Items, Slot, Slots, close, open};
pub(crate) use value::{Code, Refusal, Rounding, store, stored};
