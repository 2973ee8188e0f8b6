//! `covet:http/requests` and `covet:http/handler`, typed so that content crosses the wall with one copy and none in the host.

use bytes::Bytes;
use wasmtime::component::{ComponentType, Lift, Lower, StreamReader, TypedFunc};

/// `body`
#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
pub(crate) enum Body {
    #[component(name = "empty")]
    Empty,
    #[component(name = "bytes")]
    Bytes(Bytes),
    #[component(name = "chunks")]
    Chunks(StreamReader<u8>),
}

/// `request`
#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct Request {
    #[component(name = "route")]
    pub route: u32,
    #[component(name = "head")]
    pub head: Bytes,
    #[component(name = "body")]
    pub body: Body,
}

/// `response`
#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct Response {
    #[component(name = "status")]
    pub status: u16,
    #[component(name = "headers")]
    pub headers: Bytes,
    #[component(name = "body")]
    pub body: Body,
}

/// `serve`
pub(crate) type Serve = TypedFunc<(), ()>;
