//! What the blog keeps.

use covet::prelude::*;

#[derive(Model, Clone, Debug)]
#[model(default, table = "authors", ordering = "name")]
pub struct Author {
    pub id: Id<Author>,
    #[field(max_length = 60, unique)]
    pub slug: String,
    #[field(max_length = 80)]
    pub name: String,
    pub bio: String,
}

#[derive(Model, Clone, Debug)]
#[model(default, table = "posts", ordering = "-published_at")]
#[model(index(published, -published_at), index(published, -likes))]
pub struct Post {
    pub id: Id<Post>,
    #[field(max_length = 80, unique)]
    pub slug: String,
    #[field(max_length = 200, min_length = 1)]
    pub title: String,
    #[field(max_length = 300)]
    pub summary: String,
    /// Plain text; an empty line ends a paragraph.
    pub body: String,
    #[field(on_delete = "protect")]
    pub author: ForeignKey<Author>,
    pub published: bool,
    /// Set when the post is first published.
    pub published_at: Option<DateTime<Utc>>,
    pub likes: i64,
    #[field(auto_now_add)]
    pub created_at: DateTime<Utc>,
    #[field(auto_now)]
    pub updated_at: DateTime<Utc>,
}

#[derive(Model, Clone, Debug)]
#[model(default, table = "tags", ordering = "slug")]
pub struct Tag {
    pub id: Id<Tag>,
    #[field(max_length = 40, unique)]
    pub slug: String,
    #[field(max_length = 40)]
    pub name: String,
}

/// One tag of one post.
#[derive(Model, Clone, Debug)]
#[model(default, table = "post_tags", unique(post, tag))]
pub struct PostTag {
    pub id: Id<PostTag>,
    pub post: ForeignKey<Post>,
    #[field(index)]
    pub tag: ForeignKey<Tag>,
}

#[derive(Model, Clone, Debug)]
#[model(default, table = "comments", ordering = "created_at", index(post, created_at))]
pub struct Comment {
    pub id: Id<Comment>,
    pub post: ForeignKey<Post>,
    #[field(max_length = 60, min_length = 1)]
    pub name: String,
    #[field(max_length = 2000, min_length = 1)]
    pub text: String,
    #[field(auto_now_add)]
    pub created_at: DateTime<Utc>,
}
