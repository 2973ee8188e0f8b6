use covet::prelude::*;

#[derive(Model)]
struct Author {
    id: Id<Author>,
    name: String,
}

#[derive(Model)]
struct Post {
    id: Id<Post>,
    title: String,
    #[field(related_name = "posts")]
    author: ForeignKey<Author>,
}

#[derive(Model)]
struct Page {
    id: Id<Page>,
    #[field(related_name = "pages")]
    title: String,
}

#[derive(Model)]
struct Book {
    id: Id<Book>,
    #[field(symmetrical)]
    authors: ManyToMany<Author>,
}

async fn no_place() -> Result<()> {
    Author::objects().prefetch_related(Author::posts()).all().await?;
    Ok(())
}

async fn no_relation() -> Result<()> {
    Post::objects().prefetch_related(Post::author()).all().await?;
    Ok(())
}

async fn another_model() -> Result<()> {
    Author::objects().filter(Author::posts().to(Author::name()).eq("x")).all().await?;
    Ok(())
}

fn main() {}
