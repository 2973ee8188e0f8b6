//! The pages.

use covet::prelude::*;
use maud::Markup;

use crate::models::{Airport, Route};
use crate::routes;
use crate::views;

#[get("/")]
pub async fn home() -> Result<Html<Markup>> {
    let (airports, all, busiest) =
        try_join!(Airport::objects().count(), Route::objects().count(), routes::busiest(25))?;
    Ok(Html(views::home(airports, all, &busiest)))
}

#[get("/airports/{iata}")]
pub async fn airport(iata: String) -> Result<Response> {
    let code = iata.to_ascii_uppercase();
    let airport = match Airport::get(code.as_str()).await {
        Ok(airport) => airport,
        Err(Error::NotFound(_)) => {
            let page = views::not_found(&format!("airport {code}"));
            return Ok((StatusCode::NOT_FOUND, Html(page)).into_response());
        }
        Err(error) => return Err(error),
    };
    let (departures, arrivals) = try_join!(routes::from(&airport), routes::to(&airport))?;
    Ok(Html(views::airport(&airport, &departures, &arrivals)).into_response())
}

#[derive(Deserialize)]
pub struct Search {
    #[serde(default)]
    q: String,
}

#[get("/search")]
pub async fn search(Query(search): Query<Search>) -> Result<Html<Markup>> {
    let query = search.q.trim();
    let mut found = routes::search(query, views::MOST_FOUND + 1).await?;
    let more = found.len() as u64 > views::MOST_FOUND;
    found.truncate(views::MOST_FOUND as usize);
    Ok(Html(views::search(query, &found, more)))
}

#[get("/style.css")]
pub async fn style() -> Response {
    Response::new(views::STYLE)
        .header("content-type", "text/css; charset=utf-8")
        .header("cache-control", "public, max-age=300")
}
