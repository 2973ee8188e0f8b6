//! The same data as JSON. Models serialize as they are: a relation that was fetched is an object, else a key.

use covet::prelude::*;

use crate::models::{Airport, Route};
use crate::routes;

#[derive(Deserialize)]
pub struct Search {
    q: String,
    #[serde(default = "default_limit")]
    limit: u64,
}

#[derive(Deserialize)]
pub struct Limit {
    #[serde(default = "default_limit")]
    limit: u64,
}

/// What `limit` may be at most.
const MAX_LIMIT: u64 = 500;

fn default_limit() -> u64 {
    25
}

/// `GET /api/airports?q=san&limit=10`
#[get("/api/airports")]
pub async fn airports(Query(search): Query<Search>) -> Result<Json<Vec<Airport>>> {
    Ok(Json(routes::search(search.q.trim(), search.limit.min(MAX_LIMIT)).await?))
}

#[get("/api/airports/{iata}")]
pub async fn airport(iata: String) -> Result<Json<Airport>> {
    Ok(Json(Airport::get(iata.to_ascii_uppercase()).await?))
}

#[derive(Serialize)]
pub struct RoutesOf {
    airport: Airport,
    departures: Vec<Route>,
    arrivals: Vec<Route>,
}

#[get("/api/airports/{iata}/routes")]
pub async fn routes_of(iata: String) -> Result<Json<RoutesOf>> {
    let airport = Airport::get(iata.to_ascii_uppercase()).await?;
    let (departures, arrivals) = try_join!(routes::from(&airport), routes::to(&airport))?;
    Ok(Json(RoutesOf { airport, departures, arrivals }))
}

/// `GET /api/routes/busiest?limit=10`
#[get("/api/routes/busiest")]
pub async fn busiest(Query(query): Query<Limit>) -> Result<Json<Vec<Route>>> {
    Ok(Json(routes::busiest(query.limit.min(MAX_LIMIT)).await?))
}
