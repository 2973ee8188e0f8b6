//! The queries that pages and API share.

use covet::prelude::*;

use crate::models::{Airport, Route};

/// Both ends of each route come in the same query: two JOINs to one table.
fn with_ends() -> QuerySet<Route> {
    Route::objects().select_related((Route::origin(), Route::destination()))
}

/// The routes with most flights; the model's own order is by flights, most first.
pub async fn busiest(limit: u64) -> Result<Vec<Route>> {
    with_ends().limit(limit).all().await
}

pub async fn from(airport: &Airport) -> Result<Vec<Route>> {
    with_ends().filter(Route::origin().eq(airport)).all().await
}

pub async fn to(airport: &Airport) -> Result<Vec<Route>> {
    with_ends().filter(Route::destination().eq(airport)).all().await
}

/// Airports whose code, name or city has this text in it, in any case; the one with exactly this code comes first.
pub async fn search(text: &str, limit: u64) -> Result<Vec<Airport>> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let like = Airport::iata().icontains(text) | Airport::name().icontains(text) | Airport::city().icontains(text);
    let exact = Airport::objects().filter(Airport::iata().eq(text.to_ascii_uppercase())).first();
    let others = Airport::objects().filter(like).order_by((Airport::name(), Airport::iata())).limit(limit).all();
    let (exact, others) = try_join!(exact, others)?;
    let code = exact.as_ref().map(|airport| airport.iata.clone());
    let others = others.into_iter().filter(|airport| Some(&airport.iata) != code.as_ref());
    Ok(exact.into_iter().chain(others).take(limit as usize).collect())
}
