//! Filling the tables from the two CSV files, by `load.sh`.
//!
//! The body is read as it comes, checked row by row, and the good rows are stored in one transaction: all of a file's
//! good rows or none. The answer says what became of every row.

use std::collections::HashSet;

use covet::prelude::*;

use crate::models::{Airport, Route};
use crate::records::Records;
use crate::rules::{Airports, Report, Routes, Row, Sieve};

#[post("/load/airports")]
pub async fn airports(headers: Headers, body: BodyStream) -> Result<Json<Report>> {
    authorize(&headers)?;
    let Sieve { good, report, .. } = sift(Airports, body).await?;
    let rows = good.into_iter().map(|row| Airport {
        iata: row.iata,
        name: row.name,
        city: row.city,
        state: row.state,
        country: row.country,
        latitude: row.latitude,
        longitude: row.longitude,
    });
    let keys = transaction(async |_tx| Airport::objects().bulk_create_ignoring_conflicts(rows).await).await?;
    Ok(Json(count(report, &keys)))
}

#[post("/load/routes")]
pub async fn routes(headers: Headers, body: BodyStream) -> Result<Json<Report>> {
    authorize(&headers)?;
    let airports: HashSet<String> = Airport::objects().values(Airport::iata()).all().await?.into_iter().collect();
    let Sieve { good, report, .. } = sift(Routes { airports }, body).await?;
    let rows = good.into_iter().map(|row| Route {
        id: Id::unsaved(),
        origin: row.origin.into(),
        destination: row.destination.into(),
        flights: row.flights,
    });
    let keys = transaction(async |_tx| Route::objects().bulk_create_ignoring_conflicts(rows).await).await?;
    Ok(Json(count(report, &keys)))
}

/// Reads the whole file through its rules.
async fn sift<R: Row>(rules: R, mut body: BodyStream) -> Result<Sieve<R>> {
    let mut sieve = Sieve::new(rules);
    let mut records = Records::new();
    while let Some(piece) = body.next().await {
        records.feed(&piece, |record| sieve.take(record));
    }
    records.finish(|record| sieve.take(record));
    sieve.header().map_err(Error::bad_request)?;
    Ok(sieve)
}

/// A row without a key was left out: its own key was in the table before.
fn count<K>(mut report: Report, keys: &[Option<K>]) -> Report {
    report.stored = keys.iter().flatten().count() as u64;
    report.already_there = keys.len() as u64 - report.stored;
    report
}

/// Only who has the operator's token may load. Without one in the configuration nobody may.
fn authorize(headers: &Headers) -> Result<()> {
    let Some(token) = config::get("load_token") else {
        return Err(Error::forbidden(
            "loading is off: the operator set no `load_token` under [plugins.flights.config]",
        ));
    };
    let given = headers.get("authorization").and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    // Every byte is looked at, so that the time taken does not tell how many were right.
    let differ =
        given.bytes().zip(token.bytes()).fold(given.len() ^ token.len(), |sum, (a, b)| sum | usize::from(a ^ b));
    if differ == 0 {
        Ok(())
    } else {
        Err(Error::unauthorized("send `authorization: Bearer` with the token of this plugin"))
    }
}
