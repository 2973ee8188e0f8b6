//! The tables of the benchmark. `benches/src/native.rs` reads the same columns into the same fields.

use covet::prelude::*;

#[derive(Model, Clone, Debug)]
#[model(table = "bench_users")]
pub struct User {
    pub id: Id<User>,
    #[field(max_length = 100, unique)]
    pub username: String,
    #[field(max_length = 254)]
    pub email: String,
    pub age: i64,
}

#[derive(Model, Clone, Debug)]
#[model(table = "bench_authors")]
pub struct Author {
    pub id: Id<Author>,
    #[field(max_length = 100)]
    pub name: String,
    #[field(max_length = 254)]
    pub email: String,
}

#[derive(Model, Clone, Debug)]
#[model(table = "bench_posts")]
pub struct Post {
    pub id: Id<Post>,
    #[field(max_length = 200)]
    pub title: String,
    #[field(index)]
    pub author: ForeignKey<Author>,
    pub published: bool,
    pub views: i64,
    pub created_at: DateTime<Utc>,
}

#[derive(Model, Clone, Debug)]
#[model(table = "bench_hits")]
pub struct Hit {
    pub id: Id<Hit>,
    #[field(max_length = 200)]
    pub path: String,
    pub hits: i64,
}

pub async fn seed(users: i64, authors: i64, posts: i64) -> Result<()> {
    if User::objects().exists().await? {
        return Ok(());
    }
    let rows = (1..=users).map(|i| User {
        id: Id::unsaved(),
        username: format!("user-{i}"),
        email: format!("user-{i}@example.org"),
        age: 18 + i % 60,
    });
    User::objects().bulk_create(rows).await?;
    let rows = (1..=authors).map(|i| Author {
        id: Id::unsaved(),
        name: format!("Author Number {i}"),
        email: format!("author-{i}@example.org"),
    });
    Author::objects().bulk_create(rows).await?;
    let rows = (0..posts).map(|i| Post {
        id: Id::unsaved(),
        title: format!("A title of the usual length, number {i}"),
        author: ForeignKey::to(i % authors + 1),
        published: i % 3 != 0,
        views: i * 7,
        created_at: DateTime::from_timestamp_micros(1_700_000_000_000_000 + i * 1_000_003).unwrap_or_default(),
    });
    Post::objects().bulk_create(rows).await?;
    Ok(())
}
