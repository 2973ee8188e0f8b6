//! The JSON side. Reading is open; writing asks for the bearer token that the operator set as `api_token`.

use covet::prelude::*;

use crate::models::{Author, Post};
use crate::posts::{self, Entry, Filter, slugify};

/// A post as the API shows it.
#[derive(Serialize)]
pub struct PostJson {
    id: Id<Post>,
    slug: String,
    title: String,
    summary: String,
    /// Left out of lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    author: Option<AuthorJson>,
    tags: Vec<String>,
    published: bool,
    published_at: Option<DateTime<Utc>>,
    likes: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

#[derive(Serialize)]
pub struct AuthorJson {
    slug: String,
    name: String,
}

impl PostJson {
    fn whole(Entry { post, tags }: Entry) -> PostJson {
        let author = post.author.into_row().map(|Author { slug, name, .. }| AuthorJson { slug, name });
        PostJson {
            id: post.id,
            slug: post.slug,
            title: post.title,
            summary: post.summary,
            body: Some(post.body),
            author,
            tags: tags.into_iter().map(|tag| tag.slug).collect(),
            published: post.published,
            published_at: post.published_at,
            likes: post.likes,
            created_at: post.created_at,
            updated_at: post.updated_at,
        }
    }

    fn listed(entry: Entry) -> PostJson {
        PostJson { body: None, ..PostJson::whole(entry) }
    }
}

#[derive(Serialize)]
pub struct PageJson {
    page: u64,
    pages: u64,
    total: u64,
    posts: Vec<PostJson>,
}

#[derive(Deserialize)]
pub struct Listing {
    #[serde(default)]
    page: u64,
    per_page: Option<u64>,
    tag: Option<String>,
    author: Option<String>,
    q: Option<String>,
}

/// `GET /api/posts?page=2&per_page=10&tag=sea&author=ines-mota&q=tide`
#[get("/api/posts")]
pub async fn list(Query(query): Query<Listing>) -> Result<Json<PageJson>> {
    let filter = Filter { tag: query.tag, author: query.author, search: query.q };
    let found = posts::list(&filter, query.page, query.per_page.unwrap_or(20)).await?;
    let posts = found.entries.into_iter().map(PostJson::listed).collect();
    Ok(Json(PageJson { page: found.page, pages: found.pages, total: found.total, posts }))
}

#[get("/api/posts/{id}")]
pub async fn read(id: Id<Post>) -> Result<Json<PostJson>> {
    let post = Post::objects().filter(Post::published()).select_related(Post::author()).get(id).await?;
    let tags = posts::tags_of(&post).await?;
    Ok(Json(PostJson::whole(Entry { post, tags })))
}

/// What `POST` and `PUT` take.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewPost {
    title: String,
    /// Made from the title when absent.
    slug: Option<String>,
    #[serde(default)]
    summary: String,
    body: String,
    /// The author's slug.
    author: String,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    published: bool,
}

/// What `PATCH` takes: what is absent stays as it is.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Changes {
    title: Option<String>,
    slug: Option<String>,
    summary: Option<String>,
    body: Option<String>,
    author: Option<String>,
    tags: Option<Vec<String>>,
    published: Option<bool>,
}

impl From<NewPost> for Changes {
    fn from(new: NewPost) -> Changes {
        Changes {
            slug: Some(new.slug.unwrap_or_else(|| slugify(&new.title))),
            title: Some(new.title),
            summary: Some(new.summary),
            body: Some(new.body),
            author: Some(new.author),
            tags: Some(new.tags),
            published: Some(new.published),
        }
    }
}

#[post("/api/posts")]
pub async fn create(headers: Headers, Json(new): Json<NewPost>) -> Result<Response> {
    authorize(&headers)?;
    let entry = transaction(async |_tx| store(Post::default(), new.into()).await).await?;
    let location = format!("/api/posts/{}", entry.post.id);
    Ok((StatusCode::CREATED, Json(PostJson::whole(entry))).into_response().header("location", location))
}

/// All of a post anew; its likes and dates stay.
#[put("/api/posts/{id}")]
pub async fn put(headers: Headers, id: Id<Post>, Json(new): Json<NewPost>) -> Result<Json<PostJson>> {
    change(&headers, id, new.into()).await
}

#[patch("/api/posts/{id}")]
pub async fn patch(headers: Headers, id: Id<Post>, Json(changes): Json<Changes>) -> Result<Json<PostJson>> {
    change(&headers, id, changes).await
}

#[delete("/api/posts/{id}")]
pub async fn delete(headers: Headers, id: Id<Post>) -> Result<StatusCode> {
    authorize(&headers)?;
    // Comments and tags of the post go with it: their foreign keys cascade.
    match Post::objects().filter(Post::id().eq(id)).delete().await?.rows() {
        0 => Err(Error::not_found("Post")),
        _ => Ok(StatusCode::NO_CONTENT),
    }
}

#[derive(Deserialize)]
pub struct Publish {
    tags: Vec<String>,
}

/// Publishes a draft under these tags, in one transaction.
#[post("/api/posts/{id}/publish")]
pub async fn publish(headers: Headers, id: Id<Post>, Json(publish): Json<Publish>) -> Result<Json<PostJson>> {
    authorize(&headers)?;
    Ok(Json(PostJson::whole(posts::publish(id, &publish.tags).await?)))
}

async fn change(headers: &Headers, id: Id<Post>, changes: Changes) -> Result<Json<PostJson>> {
    authorize(headers)?;
    let entry = transaction(async |_tx| {
        let post = Post::objects().select_related(Post::author()).get(id).await?;
        store(post, changes).await
    })
    .await?;
    Ok(Json(PostJson::whole(entry)))
}

/// Applies the changes and saves. Call it in a transaction.
async fn store(mut post: Post, changes: Changes) -> Result<Entry> {
    if let Some(slug) = changes.slug {
        if slug.is_empty() || slugify(&slug) != slug {
            return Err(Error::invalid("slug", "takes small letters a to z, digits and single dashes"));
        }
        post.slug = slug;
    }
    if let Some(author) = changes.author {
        let found = Author::objects().filter(Author::slug().eq(&author)).first().await?;
        post.author = found.ok_or_else(|| Error::invalid("author", format!("nobody has the slug `{author}`")))?.into();
    }
    post.title = changes.title.unwrap_or(post.title);
    post.summary = changes.summary.unwrap_or(post.summary);
    post.body = changes.body.unwrap_or(post.body);
    post.published = changes.published.unwrap_or(post.published);
    if post.published {
        post.published_at.get_or_insert_with(posts::now);
    }
    post.save().await?;
    let tags = match changes.tags {
        Some(tags) => posts::set_tags(&post, &tags).await?,
        None => posts::tags_of(&post).await?,
    };
    Ok(Entry { post, tags })
}

/// Lets those pass who send `Authorization: Bearer` with the operator's token. Without one in the configuration nobody
/// may write.
fn authorize(headers: &Headers) -> Result<()> {
    let Some(token) = config::get("api_token") else {
        return Err(Error::forbidden("writing is off: the operator set no `api_token` under [plugins.blog.config]"));
    };
    let given = headers.get("authorization").and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    // Every byte is looked at, so that the time taken does not tell how many were right.
    let differ =
        given.bytes().zip(token.bytes()).fold(given.len() ^ token.len(), |sum, (a, b)| sum | usize::from(a ^ b));
    if differ == 0 { Ok(()) } else { Err(Error::unauthorized("send `authorization: Bearer` with the blog's token")) }
}
