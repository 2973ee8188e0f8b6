//! `covet:http/requests`: how a guest gets its requests and gives its answers.
//!
//! `next` is a plain function that waits on the guest's own stack. That stops everything else in its store, which is right
//! here and only here: a guest that asks for its next request has nothing else to do. It is why a request costs no task, no
//! call and no event of wasmtime's, but one switch of stacks each way.

use std::{future::poll_fn, sync::Arc};

use wasmtime::{
    StoreContextMut,
    component::{Linker, StreamReader},
};

use crate::{
    desk::{Answer, Content},
    epochs,
    feed::Feed,
    handler::{Body, Request, Response},
    message::RequestBody,
    pump,
    state::State,
};

/// Links both functions, with types of our own (see `handler`).
pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut requests = linker.instance("covet:http/requests@0.1.0")?;
    requests.func_wrap_async("next", |store, (): ()| Box::new(async move { Ok((next(store).await?,)) }))?;
    requests.func_wrap("answer", |store, (response,): (Response,)| answer(store, response))
}

async fn next(mut store: StoreContextMut<'_, State>) -> wasmtime::Result<Option<Request>> {
    let state = store.data_mut();
    let desk = Arc::clone(&state.desk);
    if desk.is_open() {
        wasmtime::bail!("the guest asked for its next request before it answered the last");
    }
    state.flush_log();
    // A response that still flows though its guest is done with it (it hands a request's content through) needs the store
    // that we would stop here.
    let flows = state.flow.as_ref().is_some_and(|flow| !flow.has_ended());
    if flows || (state.served > 0 && !state.reusable()) {
        return Ok(None);
    }
    state.flow = None;
    let order = poll_fn(|_| desk.poll_order()).await;
    store.data_mut().begin(order.request.route, order.deadline);
    epochs::restart(&mut store);
    let body = match order.request.body {
        RequestBody::Empty => Body::Empty,
        RequestBody::Bytes(bytes) => Body::Bytes(bytes),
        RequestBody::Stream(stream) => {
            let limit = store.data().generation.limits.body;
            Body::Chunks(StreamReader::new(&mut store, Feed::new(stream, limit))?)
        }
    };
    Ok(Some(Request { route: order.request.route, head: order.request.head.into_bytes(), body }))
}

fn answer(mut store: StoreContextMut<'_, State>, response: Response) -> wasmtime::Result<()> {
    let desk = Arc::clone(&store.data().desk);
    if !desk.is_open() {
        wasmtime::bail!("the guest answered without a request to answer");
    }
    let body = match response.body {
        Body::Empty => Content::Empty,
        Body::Bytes(bytes) => Content::Bytes(bytes),
        Body::Chunks(reader) => {
            let (stream, client) = pump::connect(&mut store, reader)?;
            Content::Stream(stream, client)
        }
    };
    desk.answer(Answer { status: response.status, headers: response.headers, body });
    Ok(())
}
