//! The cache.

use covet::prelude::*;

#[get("/cache/{key}")]
async fn read(key: String) -> Result<Option<String>> {
    cache::get(&key).await
}

#[derive(Deserialize)]
pub struct Ttl {
    millis: Option<u64>,
}

#[put("/cache/{key}")]
async fn write(key: String, Query(ttl): Query<Ttl>, body: String) -> Result<()> {
    cache::set(&key, &body, ttl.millis.map(millis)).await
}

#[delete("/cache/{key}")]
async fn remove(key: String) -> Result<String> {
    Ok(cache::delete(&key).await?.to_string())
}

/// Adds a row to `rows` whenever it really computes: single flight shows in the count.
#[get("/compute/{key}")]
async fn compute(key: String) -> Result<Json<i64>> {
    let value = cache::get_or_compute(&key, minutes(1), async || {
        let row = crate::data::Row { id: Id::unsaved(), name: key.clone(), value: 1, created_at: Utc::now() };
        let row = crate::data::Row::objects().create(row).await?;
        std::thread::sleep(millis(20));
        Ok::<_, Error>(row.value)
    })
    .await?;
    Ok(Json(value))
}

/// A failure is not stored.
#[get("/compute-error/{key}")]
async fn computed_error(key: String) -> Result<Json<i64>> {
    let value = cache::get_or_compute(&key, minutes(1), async || Err::<i64, _>(Error::bad_request("no luck"))).await?;
    Ok(Json(value))
}
