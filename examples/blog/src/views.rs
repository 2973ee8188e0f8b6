//! HTML. Pure functions from rows to markup: no queries here. `maud` escapes every value that is spliced in.

use covet::prelude::*;
use maud::{DOCTYPE, Markup, html};

use crate::models::{Comment, Post, Tag};
use crate::posts::{Entry, Page, Popular};

/// First line of every page. Change it while `make run` or `covet dev` runs, save, and reload.
const HINT: &str = "To change this line, edit HINT in examples/blog/src/views.rs and save.";

const NAME: &str = "Tideline";

/// Served under a name that changes with its content, so that browsers may keep it for ever.
pub const STYLE: &str = include_str!("style.css");
pub const STYLE_HASH: u64 = fnv1a(STYLE.as_bytes());

/// The frame that all pages share.
pub fn page(title: &str, content: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { @if title.is_empty() { (NAME) } @else { (title) " · " (NAME) } }
                link rel="stylesheet" href=(style_url());
                link rel="icon" href="data:,";
            }
            body {
                a.skip href="#main" { "Skip to the text" }
                p.hint { (HINT) }
                header.top {
                    a.name href="/" { (NAME) }
                    form role="search" action="/search" {
                        label { span.hidden { "Search the posts" } input type="search" name="q" maxlength="80" placeholder="Search"; }
                        button { "Search" }
                    }
                }
                main #main { (content) }
                footer { "Rendered by a sandboxed plugin from SQLite. The same posts as JSON: " a href="/api/posts" { "/api/posts" } }
            }
        }
    }
}

/// Posts, newest first, with a heading, links to the pages around, and what is popular.
pub fn list(
    heading: &str,
    intro: Option<&str>,
    posts: &Page,
    popular: &[Popular],
    url: impl Fn(u64) -> String,
) -> Markup {
    page(
        heading,
        html! {
            @if !heading.is_empty() { h1 { (heading) } }
            @if let Some(intro) = intro { p.meta { (intro) } }
            @for entry in &posts.entries { (card(entry)) }
            @if posts.entries.is_empty() { p { "Nothing here yet." } }
            @if posts.pages > 1 {
                nav.pager aria-label="Pages" {
                    span { @if posts.page > 1 { a href=(url(posts.page - 1)) rel="prev" { "← Newer" } } }
                    span { "Page " (posts.page) " of " (posts.pages) }
                    span { @if posts.page < posts.pages { a href=(url(posts.page + 1)) rel="next" { "Older →" } } }
                }
            }
            @if !popular.is_empty() {
                aside.popular aria-labelledby="popular" {
                    h2 #popular { "Most liked" }
                    ol { @for post in popular { li { a href={ "/posts/" (post.slug) } { (post.title) } " " span.meta { (post.likes) " ♥" } } } }
                }
            }
        },
    )
}

fn card(entry: &Entry) -> Markup {
    html! {
        article.card {
            h2.title { a href={ "/posts/" (entry.post.slug) } { (entry.post.title) } }
            (byline(&entry.post))
            p { (entry.post.summary) }
            (tags(&entry.tags))
        }
    }
}

fn byline(post: &Post) -> Markup {
    html! {
        p.meta {
            @if let Some(author) = post.author.get() { "By " a href={ "/authors/" (author.slug) } { (author.name) } }
            @if let Some(at) = post.published_at { " on " (date(at)) }
        }
    }
}

fn tags(tags: &[Tag]) -> Markup {
    html! {
        @if !tags.is_empty() {
            ul.tags aria-label="Tags" { @for tag in tags { li { a href={ "/tags/" (tag.slug) } { (tag.name) } } } }
        }
    }
}

/// One post with its comments, and the form for another. `problem`: what was wrong with the comment just sent.
pub fn post(entry: &Entry, comments: &[Comment], draft: &Draft, problem: Option<&str>) -> Markup {
    let post = &entry.post;
    page(
        &post.title,
        html! {
            article {
                h1 { (post.title) }
                (byline(post))
                @for paragraph in post.body.split("\n\n") { p { (paragraph) } }
                (tags(&entry.tags))
            }
            form method="post" action={ "/posts/" (post.slug) "/like" } {
                p { button aria-label={ "Like this post; " (post.likes) " people do" } { "♥ " (post.likes) } }
            }
            section aria-labelledby="comments" {
                h2 #comments { @match comments.len() { 0 => "No comments yet", 1 => "One comment", n => { (n) " comments" } } }
                @for comment in comments {
                    article.comment #{ "comment-" (comment.id) } {
                        p { (comment.text) }
                        p.meta { (comment.name) " on " (date(comment.created_at)) }
                    }
                }
            }
            section aria-labelledby="write" {
                h2 #write { "Write a comment" }
                @if let Some(problem) = problem { p.problem role="alert" { (problem) } }
                form.stack method="post" action={ "/posts/" (post.slug) "/comments#write" } {
                    label { "Your name" input name="name" required maxlength="60" autocomplete="name" value=(draft.name); }
                    label { "Your comment" textarea name="text" required maxlength="2000" rows="5" { (draft.text) } }
                    button { "Send" }
                }
            }
        },
    )
}

/// What stands in the comment form.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Draft {
    pub name: String,
    pub text: String,
}

pub fn not_found(what: &str) -> Markup {
    page("Not found", html! { h1 { "Not found" } p { (what) " is not here. " a href="/" { "All posts" } } })
}

/// A page of search results; the text is percent-encoded.
pub fn search_url(text: &str, page: u64) -> String {
    let mut url = String::from("/search?q=");
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => url.push(byte.into()),
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
    format!("{url}&page={page}")
}

fn date(at: DateTime<Utc>) -> Markup {
    html! { time datetime=(at.to_rfc3339()) { (at.format("%-d %B %Y")) } }
}

pub fn style_url() -> String {
    format!("/style.css?v={STYLE_HASH:016x}")
}

/// FNV-1a, 64 bits: enough to tell two style sheets apart.
const fn fnv1a(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_escaped() {
        let text = page("<i>", html! { (r#"<script>alert("x")</script>"#) }).into_string();
        assert!(
            text.contains("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;") && text.contains("<title>&lt;i&gt;"),
            "{text}"
        );
    }

    #[test]
    fn a_search_is_encoded_in_its_url() {
        assert_eq!(search_url("a&b ü", 2), "/search?q=a%26b%20%C3%BC&page=2");
    }
}
