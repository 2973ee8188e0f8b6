//! Transactions, and the ways in which they end.

use covet::prelude::*;

#[derive(Model, Debug)]
pub struct Account {
    pub id: Id<Account>,
    #[field(unique)]
    pub name: String,
    #[field(min = 0)]
    pub cents: i64,
}

#[post("/accounts/reset")]
async fn reset() -> Result<()> {
    Account::objects().delete().await?;
    for name in ["a", "b"] {
        Account::objects().create(Account { id: Id::unsaved(), name: name.into(), cents: 1_000 }).await?;
    }
    Ok(())
}

#[get("/accounts")]
async fn accounts() -> Result<Json<Vec<(String, i64)>>> {
    let columns = (Account::name(), Account::cents());
    Ok(Json(Account::objects().order_by(Account::name()).values(columns).all().await?))
}

async fn by_name(name: &str) -> Result<Account> {
    Account::objects().get(Account::name().eq(name)).await
}

async fn move_cents(cents: i64) -> Result<()> {
    let (mut a, mut b) = (by_name("a").await?, by_name("b").await?);
    b.cents += cents;
    b.save().await?;
    a.cents -= cents;
    a.save().await
}

/// Commits, or rolls back where there is not enough (422).
#[post("/transfer/{cents}")]
async fn transfer(cents: i64) -> Result<()> {
    transaction(async |_| move_cents(cents).await).await
}

/// Two rows that belong together: `value` and its negative.
#[post("/transactions/pair")]
async fn pair(Json(new): Json<crate::data::NewRow>) -> Result<()> {
    transaction(async |_| {
        crate::data::Row::objects().create(new.negative().into()).await?;
        crate::data::Row::objects().create(new.into()).await?;
        Ok(())
    })
    .await
}

#[post("/transactions/failed")]
async fn failed() -> Result<()> {
    transaction(async |_| {
        move_cents(100).await?;
        Err(Error::bad_request("changed my mind"))
    })
    .await
}

#[post("/transactions/trapped")]
async fn trapped() -> Result<()> {
    transaction(async |_| {
        move_cents(100).await?;
        panic!("in the middle of a transaction")
    })
    .await
}

/// Holds the transaction past its deadline.
#[post("/transactions/asleep/{millis}")]
async fn asleep(millis: u64) -> Result<()> {
    let tx = Transaction::with_deadline(covet::millis(100)).await?;
    tx.scope(move_cents(100)).await?;
    std::thread::sleep(covet::millis(millis));
    tx.commit().await
}

/// The inner part is undone, the outer kept.
#[post("/transactions/nested")]
async fn nested() -> Result<()> {
    transaction(async |_| {
        move_cents(100).await?;
        let inner: Result<()> = transaction(async |_| {
            move_cents(200).await?;
            Err(Error::bad_request("only the inner part"))
        })
        .await;
        assert!(inner.is_err());
        transaction(async |_| move_cents(1).await).await
    })
    .await
}

/// Only what names the transaction takes part in it.
#[post("/transactions/explicit")]
async fn explicit() -> Result<Json<(i64, i64, i64)>> {
    let tx = Transaction::begin().await?;
    let add = |n| Account::objects().filter(Account::name().eq("a")).update(Account::cents().add(n));
    let inside = Account::objects().using(&tx).filter(Account::name().eq("a"));
    inside.clone().update(Account::cents().add(10)).await?;
    let savepoint = tx.savepoint().await?;
    inside.clone().update(Account::cents().add(1_000)).await?;
    savepoint.rollback().await?;
    let seen_inside = inside.clone().values(Account::cents()).get(Account::name().eq("a")).await?;
    let seen_outside = by_name("a").await?.cents;
    tx.commit().await?;
    add(1).await?;
    Ok(Json((seen_inside, seen_outside, by_name("a").await?.cents)))
}

#[post("/transactions/dropped")]
async fn dropped() -> Result<Json<Vec<(String, i64)>>> {
    {
        let tx = Transaction::begin().await?;
        Account::objects().using(&tx).update(Account::cents().set(0)).await?;
    }
    accounts().await
}
