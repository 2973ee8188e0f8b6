//! What relations to many promise, seen as an author sees it; what they say to a host is in `src/query/tests.rs`, and what a
//! host answers in `tests/`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)]

use covet::bindings::covet::orm::schema;
use covet::prelude::*;

mod models {
    use covet::prelude::*;

    #[derive(Model, Debug, Clone, PartialEq)]
    #[model(default)]
    pub struct Author {
        pub id: Id<Author>,
        pub name: String,
        pub posts: Related<Post>,
    }

    #[derive(Model, Debug, Clone, PartialEq)]
    #[model(default)]
    pub struct Post {
        pub id: Id<Post>,
        pub title: String,
        #[field(related_name = "posts")]
        pub author: ForeignKey<Author>,
        #[field(related_name = "edited")]
        pub editor: Option<ForeignKey<Author>>,
        #[field(related_name = "posts")]
        pub tags: ManyToMany<Tag>,
    }

    #[derive(Model, Debug, Clone, PartialEq)]
    #[model(default)]
    pub struct Tag {
        #[field(primary_key)]
        pub name: String,
        pub posts: Related<Post>,
    }

    #[derive(Model, Debug, Clone)]
    #[model(default)]
    pub struct Person {
        pub id: Id<Person>,
        #[field(symmetrical)]
        pub friends: ManyToMany<Person>,
        #[field(through = Follow, through_fields(who, whom), related_name = "followers")]
        pub follows: ManyToMany<Person>,
        #[field(related_name = "children")]
        pub parent: Option<ForeignKey<Person>>,
        #[field(related_name = "owner_of")]
        pub home: Option<OneToOne<Author>>,
    }

    #[derive(Model, Debug, Clone)]
    #[model(default, unique(who, whom))]
    pub struct Follow {
        pub id: Id<Follow>,
        pub who: ForeignKey<Person>,
        pub whom: ForeignKey<Person>,
        pub since: DateTime<Utc>,
    }
}

use models::*;

fn json(value: &impl Serialize) -> String {
    covet::serde_json::to_string(value).unwrap()
}

#[test]
fn rows_that_were_not_fetched_are_an_error_that_says_what_to_add() {
    let author = Author { name: "Ada".into(), ..Author::default() };
    assert_eq!(author.posts.loaded(), None);
    let said = author.posts.rows().unwrap_err().to_string();
    assert_eq!(said, "related rows of Post were not fetched: add prefetch_related(…) to the query");
    assert_eq!(json(&author), r#"{"id":null,"name":"Ada"}"#, "left out of JSON");
    assert_eq!(size_of::<Related<Post>>(), 8);
}

#[test]
fn a_table_between_is_described_with_the_model_that_it_belongs_to() {
    let models = covet::plugin::describe("p", "1", &[], &[Post::meta(), Tag::meta(), Author::meta()]).models;
    let names: Vec<&str> = models.iter().map(|model| model.name.as_str()).collect();
    assert_eq!(names, ["Post", "Tag", "Author", "PostTagsLink"]);
    let post: Vec<&str> = models[0].fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(post, ["id", "title", "author", "editor"], "rows are no columns");
    let link = &models[3];
    assert_eq!(link.table, "posts_tags");
    let columns: Vec<&str> = link.fields.iter().map(|field| field.column.as_str()).collect();
    assert_eq!(columns, ["id", "post_id", "tag_id"]);
    assert!(link.indexes[0].unique && link.indexes[0].columns.len() == 2);
    assert!(matches!(link.fields[2].kind, schema::Kind::Text), "the kind of the key that it points to");
    let people = covet::plugin::describe("p", "1", &[], &[Person::meta(), Follow::meta()]).models;
    let names: Vec<&str> = people.iter().map(|model| model.name.as_str()).collect();
    assert_eq!(names, ["Person", "Follow", "PersonFriendsLink"], "a table between that is named is no second one");
    assert!(people[0].fields.iter().any(|field| field.name == "home" && field.unique), "one-to-one");
}

/// Each of them compiles: the types fit from end to end.
#[test]
fn every_set_of_rows_has_its_words() {
    async fn all(author: Author, post: Post, tag: Tag, person: Person) -> Result<()> {
        let new = author.posts().create(Post::default()).await?;
        let _ = author.posts().filter(Post::title().contains("x")).order_by(Post::title()).limit(3).all().await?;
        let _ = author.edited().exclude(Post::title().eq("x")).count().await? + author.posts().count().await?;
        let _ = author.posts().get_or_create(Post::title().eq("x"), new).await?;
        author.posts().update(Post::title().set("y")).await?;
        author.posts().delete().await?;
        post.tags().add(["loom", "card"]).await?;
        post.tags().set([tag.name.clone()]).await?;
        let _ = post.tags().remove(["loom"]).await? + post.tags().clear().await?;
        let _ = tag.posts().filter(Post::author().eq(&author)).exists().await?;
        person.friends().add([Id::of(2)]).await?;
        person.follows().add([2]).await?;
        let _ = person.followers().all().await?;
        let _ = person.children().first().await?;
        let _ = author.owner_of().last().await?;
        let _ = Author::objects()
            .filter(Author::posts().to(Post::title()).contains("x") & !Author::edited().is_empty())
            .distinct()
            .all()
            .await?;
        let _ = Author::objects()
            .prefetch_related(Author::posts().with(Post::objects().prefetch_related(Post::tags()).limit(3)))
            .all()
            .await?;
        let _ = Tag::objects().prefetch_related((Tag::posts(),)).all().await?;
        Ok(())
    }
    let _ = all;
}
