//! The blog's queries: what pages and API share.

use std::collections::HashMap;

use covet::chrono::SubsecRound;
use covet::prelude::*;

use crate::models::{Author, Comment, Post, PostTag, Tag};
use crate::seed;

/// Posts on a page of HTML; the API takes up to `MAX_PER_PAGE`.
pub const PER_PAGE: u64 = 5;
pub const MAX_PER_PAGE: u64 = 100;

/// A post with its author, and its tags in order.
pub struct Entry {
    pub post: Post,
    pub tags: Vec<Tag>,
}

/// One page of a list; pages count from 1.
pub struct Page {
    pub entries: Vec<Entry>,
    pub page: u64,
    pub pages: u64,
    pub total: u64,
}

/// Which published posts to list.
#[derive(Default)]
pub struct Filter {
    pub tag: Option<String>,
    pub author: Option<String>,
    /// Text that title, summary or body must have, in any case.
    pub search: Option<String>,
}

/// Published posts, newest first. Two or three queries, however many posts: a count, a page of posts joined with their
/// authors, and the tags of all of them.
pub async fn list(filter: &Filter, page: u64, per_page: u64) -> Result<Page> {
    let mut query = Post::objects().filter(Post::published());
    if let Some(author) = &filter.author {
        query = query.filter(Post::author().to(Author::slug()).eq(author));
    }
    if let Some(text) = &filter.search {
        query = query
            .filter(Post::title().icontains(text) | Post::summary().icontains(text) | Post::body().icontains(text));
    }
    if let Some(tag) = &filter.tag {
        let tagged = PostTag::objects().filter(PostTag::tag().to(Tag::slug()).eq(tag)).all().await?;
        query = query.filter(Post::id().is_in(tagged.iter().map(|link| link.post.id())));
    }
    let total = query.clone().count().await?;
    if total == 0 && seed::wanted() && seed::fill().await? {
        return Box::pin(list(filter, page, per_page)).await;
    }
    let per_page = per_page.clamp(1, MAX_PER_PAGE);
    let pages = total.div_ceil(per_page).max(1);
    let page = page.clamp(1, pages);
    let posts = query
        .select_related(Post::author())
        .order_by((Post::published_at().desc(), Post::id().desc()))
        .limit(per_page)
        .offset((page - 1) * per_page)
        .all()
        .await?;
    Ok(Page { entries: with_tags(posts).await?, page, pages, total })
}

/// The published post with this slug, with its author.
pub async fn by_slug(slug: &str) -> Result<Option<Post>> {
    Post::objects()
        .filter(Post::published().eq(true) & Post::slug().eq(slug))
        .select_related(Post::author())
        .first()
        .await
}

/// One post's tags.
pub async fn tags_of(post: &Post) -> Result<Vec<Tag>> {
    let links = PostTag::objects().filter(PostTag::post().eq(post)).select_related(PostTag::tag());
    let links = links.order_by(PostTag::tag().to(Tag::slug())).all().await?;
    Ok(links.into_iter().filter_map(|link| link.tag.into_row()).collect())
}

/// One query for the tags of all these posts.
pub async fn with_tags(posts: Vec<Post>) -> Result<Vec<Entry>> {
    let links = PostTag::objects()
        .filter(PostTag::post().is_in(posts.iter().map(|post| post.id)))
        .select_related(PostTag::tag())
        .order_by(PostTag::tag().to(Tag::slug()))
        .all()
        .await?;
    let mut tags: HashMap<Id<Post>, Vec<Tag>> = HashMap::new();
    for link in links {
        let post = link.post.id();
        tags.entry(post).or_default().extend(link.tag.into_row());
    }
    Ok(posts.into_iter().map(|post| Entry { tags: tags.remove(&post.id).unwrap_or_default(), post }).collect())
}

pub async fn comments(post: &Post) -> Result<Vec<Comment>> {
    Comment::objects().filter(Comment::post().eq(post)).all().await
}

/// What the box of popular posts shows.
#[derive(Clone, Serialize, Deserialize)]
pub struct Popular {
    pub slug: String,
    pub title: String,
    pub likes: i64,
}

/// The five most liked posts. Asked of the database once a minute, whatever the traffic: of all requests that find the
/// entry gone, one computes it and the others wait for that one.
pub async fn popular() -> Result<Vec<Popular>> {
    cache::get_or_compute("popular", minutes(1), async || {
        let posts = Post::objects()
            .filter(Post::published().eq(true) & Post::likes().gt(0))
            .order_by((Post::likes().desc(), Post::id()))
            .limit(5)
            .all()
            .await?;
        Ok(posts.into_iter().map(|post| Popular { slug: post.slug, title: post.title, likes: post.likes }).collect())
    })
    .await
}

/// Publishes a post under these tags, which replace those it had; tags that are new are made. All of it or nothing:
/// every query inside takes part in the transaction, also those of `set_tags`.
pub async fn publish(id: Id<Post>, tags: &[String]) -> Result<Entry> {
    transaction(async |_tx| {
        let mut post = Post::objects().select_related(Post::author()).get(id).await?;
        post.published = true;
        post.published_at.get_or_insert_with(now);
        post.save_fields((Post::published(), Post::published_at())).await?;
        let tags = set_tags(&post, tags).await?;
        Ok(Entry { post, tags })
    })
    .await
}

/// Gives a post these tags and no others. Call it in a transaction.
pub async fn set_tags(post: &Post, names: &[String]) -> Result<Vec<Tag>> {
    PostTag::objects().filter(PostTag::post().eq(post)).delete().await?;
    let mut tags: Vec<Tag> = Vec::new();
    for name in names {
        let slug = slugify(name);
        if slug.is_empty() {
            return Err(Error::invalid("tags", format!("`{name}` has no letter from a to z and no digit")));
        }
        let new = Tag { slug: slug.clone(), name: name.trim().to_owned(), ..Tag::default() };
        let (tag, _) = Tag::objects().get_or_create(Tag::slug().eq(&slug), new).await?;
        if tags.iter().all(|other| other.id != tag.id) {
            tags.push(tag);
        }
    }
    tags.sort_by(|a, b| a.slug.cmp(&b.slug));
    let links = tags.iter().map(|tag| PostTag { post: post.into(), tag: tag.into(), ..PostTag::default() });
    PostTag::objects().bulk_create(links).await?;
    Ok(tags)
}

/// To the microsecond, as a column holds it.
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

/// `How to read a TIDE table` → `how-to-read-a-tide-table`; at most 80 characters.
pub fn slugify(text: &str) -> String {
    let mut slug = String::new();
    for letter in text.chars().flat_map(char::to_lowercase) {
        if letter.is_ascii_alphanumeric() {
            slug.push(letter);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(80);
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_small_letters_digits_and_single_dashes() {
        assert_eq!(slugify("  How to read a TIDE -- table! "), "how-to-read-a-tide-table");
        assert_eq!(slugify("¿Qué?"), "qu");
        assert_eq!(slugify(&"x".repeat(300)).len(), 80);
        assert_eq!(slugify("†"), "");
    }
}
