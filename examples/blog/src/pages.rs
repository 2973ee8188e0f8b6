//! The HTML side: one handler a page, and the two forms.

use covet::prelude::*;
use maud::Markup;

use crate::models::{Author, Comment, Post, Tag};
use crate::posts::{self, Entry, Filter, PER_PAGE};
use crate::views::{self, Draft};

#[derive(Deserialize)]
pub struct Paging {
    #[serde(default)]
    page: u64,
}

#[get("/")]
pub async fn home(Query(paging): Query<Paging>) -> Result<Html<Markup>> {
    let posts = posts::list(&Filter::default(), paging.page, PER_PAGE).await?;
    let popular = posts::popular().await?;
    Ok(Html(views::list("", None, &posts, &popular, |page| format!("/?page={page}"))))
}

#[get("/tags/{slug}")]
pub async fn tag(slug: String, Query(paging): Query<Paging>) -> Result<Response> {
    let Some(tag) = Tag::objects().filter(Tag::slug().eq(&slug)).first().await? else {
        return Ok(not_found("This tag"));
    };
    let filter = Filter { tag: Some(tag.slug), ..Filter::default() };
    let posts = posts::list(&filter, paging.page, PER_PAGE).await?;
    Ok(Html(views::list(&tag.name, None, &posts, &[], |page| format!("/tags/{slug}?page={page}"))).into_response())
}

#[get("/authors/{slug}")]
pub async fn author(slug: String, Query(paging): Query<Paging>) -> Result<Response> {
    let Some(author) = Author::objects().filter(Author::slug().eq(&slug)).first().await? else {
        return Ok(not_found("This author"));
    };
    let filter = Filter { author: Some(author.slug), ..Filter::default() };
    let posts = posts::list(&filter, paging.page, PER_PAGE).await?;
    let url = |page| format!("/authors/{slug}?page={page}");
    Ok(Html(views::list(&author.name, Some(&author.bio), &posts, &[], url)).into_response())
}

#[derive(Deserialize)]
pub struct Search {
    #[serde(default)]
    q: String,
    #[serde(default)]
    page: u64,
}

#[get("/search")]
pub async fn search(Query(search): Query<Search>) -> Result<Html<Markup>> {
    let text = search.q.trim();
    let filter = Filter { search: Some(text.to_owned()), ..Filter::default() };
    let posts = posts::list(&filter, search.page, PER_PAGE).await?;
    let heading = format!("Posts about “{text}”");
    Ok(Html(views::list(&heading, None, &posts, &[], |page| views::search_url(text, page))))
}

#[get("/posts/{slug}")]
pub async fn post(slug: String) -> Result<Response> {
    match posts::by_slug(&slug).await? {
        Some(post) => Ok(Html(show(post, &Draft::default(), None).await?).into_response()),
        None => Ok(not_found("This post")),
    }
}

/// The comment form: stored, then back to the page by 303, so that a reload does not send it twice.
#[post("/posts/{slug}/comments")]
pub async fn comment(slug: String, Form(draft): Form<Draft>) -> Result<Response> {
    let Some(post) = posts::by_slug(&slug).await? else {
        return Ok(not_found("This post"));
    };
    let new = Comment {
        post: (&post).into(),
        name: draft.name.trim().to_owned(),
        text: draft.text.trim().to_owned(),
        ..Comment::default()
    };
    match Comment::objects().create(new).await {
        Ok(comment) => Ok(Redirect::to(format!("/posts/{slug}#comment-{}", comment.id)).into_response()),
        // The form comes back as it was filled in, with the reason.
        Err(Error::Invalid { field, reason }) => {
            let page = show(post, &draft, Some(&format!("Your {field}: {reason}."))).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(page)).into_response())
        }
        Err(error) => Err(error),
    }
}

/// One more like, added in the database: no click is lost, however many come at once.
#[post("/posts/{slug}/like")]
pub async fn like(slug: String) -> Result<Response> {
    let post = Post::objects().filter(Post::published().eq(true) & Post::slug().eq(&slug));
    match post.update(Post::likes().add(1)).await? {
        0 => Ok(not_found("This post")),
        _ => Ok(Redirect::to(format!("/posts/{slug}")).into_response()),
    }
}

/// The style sheet. Its address changes with its content, so a browser asks for each version once.
#[get("/style.css")]
pub async fn style() -> Response {
    Response::new(views::STYLE)
        .header("content-type", "text/css; charset=utf-8")
        .header("cache-control", "public, max-age=31536000, immutable")
}

/// A post's page. Its tags and its comments are fetched at the same time.
async fn show(post: Post, draft: &Draft, problem: Option<&str>) -> Result<Markup> {
    let (tags, comments) = join!(posts::tags_of(&post), posts::comments(&post));
    Ok(views::post(&Entry { tags: tags?, post }, &comments?, draft, problem))
}

fn not_found(what: &str) -> Response {
    (StatusCode::NOT_FOUND, Html(views::not_found(what))).into_response()
}
