//! The blog in the real host: what visitors and API clients may rely on. `cargo test -p blog` builds and runs all of it.

use covet_test::{App, Client, Error};
use serde_json::{Value, json};

const TOKEN: &str = "token-of-this-test";

/// A blog with its seed content, on a fresh database.
fn seeded() -> Result<App, Error> {
    let app = App::options().config("seed", "true").config("api_token", TOKEN).start()?;
    app.get("/")?.expect_status(200);
    Ok(app)
}

fn writer(app: &App) -> Client {
    app.with_header("authorization", &format!("Bearer {TOKEN}"))
}

/// The id of the post with this slug.
fn id_of(app: &App, slug: &str) -> Result<i64, Error> {
    let list = app.get("/api/posts?per_page=100")?.json();
    let post = list["posts"].as_array().into_iter().flatten().find(|post| post["slug"] == slug);
    Ok(post.map_or(0, |post| post["id"].as_i64().unwrap_or_default()))
}

#[test]
fn an_empty_blog_fills_itself_once_and_only_when_asked_to() -> Result<(), Error> {
    let app = seeded()?;
    for _ in 0..2 {
        assert_eq!(app.get("/api/posts")?.json()["total"], 7, "seven published posts, the draft is hidden");
    }
    drop(app);
    let app = App::start()?;
    assert_eq!(app.get("/api/posts")?.json(), json!({ "page": 1, "pages": 1, "total": 0, "posts": [] }));
    Ok(())
}

#[test]
fn pages_show_posts_by_date_tag_author_and_search() -> Result<(), Error> {
    let app = seeded()?;
    let home = app.get("/")?.expect_status(200);
    assert_eq!(home.header("content-type"), Some("text/html; charset=utf-8"));
    let text = home.text();
    for part in ["How to read a tide table", "Inês Mota", "Most liked", "Page 1 of 2", "/?page=2"] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    assert!(app.get("/?page=2")?.text().contains("What the barometer said"));

    let bread = app.get("/tags/bread")?.text();
    assert!(bread.contains("Bread at four degrees") && !bread.contains("Seven spanners"), "{bread}");
    let ruth = app.get("/authors/ruth-adeyemi")?.text();
    assert!(ruth.contains("The curlew is two birds") && !ruth.contains("Bread at four degrees"), "{ruth}");
    let found = app.get("/search?q=NUMENIUS")?.text();
    assert!(found.contains("The curlew is two birds") && !found.contains("Seven spanners"), "{found}");
    assert!(app.get("/search?q=%3Cscript%3E")?.text().contains("“&lt;script&gt;”"));

    let post = app.get("/posts/reading-a-tide-table")?.text();
    for part in ["rule of twelfths", "2 comments", "only &lt;em&gt;here&lt;/em&gt;?", "/tags/sea"] {
        assert!(post.contains(part), "{part} is missing in\n{post}");
    }
    for path in ["/posts/a-list-of-small-repairs", "/posts/none", "/tags/none", "/authors/none"] {
        assert!(app.get(path)?.expect_status(404).text().contains("Not found"), "{path}");
    }
    Ok(())
}

#[test]
fn a_comment_is_stored_and_sends_the_browser_back() -> Result<(), Error> {
    let app = seeded()?;
    let path = "/posts/seven-spanners/comments";
    let sent = app.post_form(path, &[("name", " Ada "), ("text", "Eight,\n<b>surely</b>?")])?.expect_status(303);
    let back = sent.header("location").unwrap_or_default();
    assert!(back.starts_with("/posts/seven-spanners#comment-"), "{back}");
    let page = app.get("/posts/seven-spanners")?.text();
    assert!(page.contains("One comment") && page.contains("Eight,\n&lt;b&gt;surely&lt;/b&gt;?"), "{page}");

    // What is refused comes back as it was written, with the reason.
    let refused = app.post_form(path, &[("name", ""), ("text", "Kept as typed")])?.expect_status(422).text();
    assert!(refused.contains("role=\"alert\"") && refused.contains("Kept as typed"), "{refused}");
    let long = "x".repeat(2001);
    app.post_form(path, &[("name", "Ada"), ("text", &long)])?.expect_status(422);
    app.post_form("/posts/none/comments", &[("name", "Ada"), ("text", "Hello")])?.expect_status(404);
    assert!(app.get("/posts/seven-spanners")?.text().contains("One comment"));
    Ok(())
}

#[test]
fn no_like_is_lost_when_many_come_at_once() -> Result<(), Error> {
    let app = seeded()?;
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..5 {
                    app.post_form("/posts/seven-spanners/like", &[]).unwrap().expect_status(303);
                }
            });
        }
    });
    let id = id_of(&app, "seven-spanners")?;
    assert_eq!(app.get(&format!("/api/posts/{id}"))?.json()["likes"], 18 + 40);
    Ok(())
}

#[test]
fn the_api_lists_filters_and_searches() -> Result<(), Error> {
    let app = seeded()?;
    let slugs = |path: &str| -> Result<Vec<String>, Error> {
        let list = app.get(path)?.expect_status(200).json();
        let posts = list["posts"].as_array().cloned().unwrap_or_default();
        Ok(posts.iter().map(|post| post["slug"].as_str().unwrap_or_default().to_owned()).collect())
    };
    assert_eq!(slugs("/api/posts?per_page=2")?, ["reading-a-tide-table", "the-curlew-is-two-birds"]);
    assert_eq!(slugs("/api/posts?per_page=3&page=3")?, ["what-the-barometer-said"]);
    assert_eq!(slugs("/api/posts?tag=birds")?, ["the-curlew-is-two-birds", "walking-to-the-lighthouse"]);
    assert_eq!(slugs("/api/posts?tag=tools&author=tomas-varga")?, ["seven-spanners"]);
    assert_eq!(slugs("/api/posts?q=hexagonal")?, ["seven-spanners"]);
    assert_eq!(slugs("/api/posts?tag=none")?, [""; 0]);
    app.get("/api/posts?page=two")?.expect_status(400);

    let id = id_of(&app, "the-curlew-is-two-birds")?;
    let post = app.get(&format!("/api/posts/{id}"))?.json();
    assert_eq!(post["author"], json!({ "slug": "ruth-adeyemi", "name": "Ruth Adeyemi" }));
    assert_eq!(post["tags"], json!(["birds", "sea", "walks"]));
    assert_eq!(app.get("/api/posts/999999")?.expect_status(404).json()["error"]["code"], "not-found");
    app.get("/api/posts/seven")?.expect_status(400);
    Ok(())
}

#[test]
fn only_the_token_may_write() -> Result<(), Error> {
    let app = seeded()?;
    let new = json!({ "title": "Intruder", "body": "…", "author": "ruth-adeyemi" });
    app.post_json("/api/posts", &new)?.expect_status(401);
    app.with_header("authorization", "Bearer guess").post_json("/api/posts", &new)?.expect_status(401);
    app.delete("/api/posts/1")?.expect_status(401);
    drop(app);
    // No token in the configuration: nobody.
    let app = App::options().config("seed", "true").start()?;
    app.with_header("authorization", "Bearer ").post_json("/api/posts", &new)?.expect_status(403);
    Ok(())
}

#[test]
fn a_post_is_created_changed_replaced_and_deleted_through_the_api() -> Result<(), Error> {
    let app = seeded()?;
    let api = writer(&app);
    let new = json!({
        "title": "On Knots!", "body": "One.\n\nTwo.", "author": "ines-mota", "tags": ["Ropes", "sea", "ropes"], "published": true,
    });
    let created = api.post_json("/api/posts", &new)?.expect_status(201);
    let place = created.header("location").unwrap_or_default().to_owned();
    let post = created.json();
    assert_eq!(post["slug"], "on-knots");
    assert_eq!(post["tags"], json!(["ropes", "sea"]));
    assert!(post["published_at"].is_string() && post["created_at"].is_string(), "{post}");
    assert_eq!(app.get(&place)?.json(), post);
    assert!(app.get("/posts/on-knots")?.text().contains("<p>Two.</p>"));
    api.post_json("/api/posts", &new)?.expect_status(409);

    let patched = api.patch_json(&place, &json!({ "summary": "Two of them." }))?.expect_status(200).json();
    assert_eq!(
        (&patched["summary"], &patched["title"], &patched["tags"]),
        (&json!("Two of them."), &post["title"], &post["tags"])
    );
    let put =
        json!({ "title": "Splices", "slug": "splices", "body": "Three.", "author": "ruth-adeyemi", "published": true });
    let replaced = api.put_json(&place, &put)?.expect_status(200).json();
    assert_eq!((&replaced["summary"], &replaced["tags"]), (&json!(""), &json!([])));
    assert_eq!(replaced["published_at"], post["published_at"], "the first publication counts");
    app.get("/posts/on-knots")?.expect_status(404);

    for (wrong, field) in [
        (json!({ "author": "nobody" }), "author"),
        (json!({ "slug": "Not A Slug" }), "slug"),
        (json!({ "title": "" }), "title"),
        (json!({ "titel": "?" }), "titel"),
        (json!({ "published": "yes" }), "published"),
    ] {
        let error = api.patch_json(&place, &wrong)?.expect_status(422).json();
        assert!(error["error"].to_string().contains(field), "{wrong} is answered {error}");
    }
    assert_eq!(app.get(&place)?.json(), replaced, "what is refused changes nothing");

    app.post_form("/posts/splices/comments", &[("name", "Ada"), ("text", "Neat")])?.expect_status(303);
    api.delete(&place)?.expect_status(204);
    api.delete(&place)?.expect_status(404);
    app.get(&place)?.expect_status(404);
    Ok(())
}

#[test]
fn publishing_is_all_or_nothing() -> Result<(), Error> {
    let app = seeded()?;
    let api = writer(&app);
    let draft = json!({ "title": "Draft", "body": "…", "author": "ruth-adeyemi", "tags": ["sea"] });
    let id = api.post_json("/api/posts", &draft)?.expect_status(201).json()["id"].clone();
    app.get("/posts/draft")?.expect_status(404);

    // The second tag is refused after the first was made and the post was marked: all of it is undone.
    api.post_json(&format!("/api/posts/{id}/publish"), &json!({ "tags": ["brand new", "†"] }))?.expect_status(422);
    app.get("/posts/draft")?.expect_status(404);
    app.get("/tags/brand-new")?.expect_status(404);

    let post = api
        .post_json(&format!("/api/posts/{id}/publish"), &json!({ "tags": ["brand new", "Sea"] }))?
        .expect_status(200)
        .json();
    assert_eq!((&post["published"], &post["tags"]), (&Value::Bool(true), &json!(["brand-new", "sea"])));
    assert!(app.get("/tags/brand-new")?.expect_status(200).text().contains("/posts/draft"));
    Ok(())
}

#[test]
fn browsers_may_keep_the_style_sheet_because_its_address_changes_with_it() -> Result<(), Error> {
    let app = seeded()?;
    let home = app.get("/")?.text();
    let (_, rest) = home.split_once("href=\"/style.css?v=").unwrap_or_default();
    let version = rest.split('"').next().unwrap_or_default();
    assert_eq!(version.len(), 16, "{home}");
    let style = app.get(&format!("/style.css?v={version}"))?.expect_status(200);
    assert_eq!(style.header("content-type"), Some("text/css; charset=utf-8"));
    assert!(style.header("cache-control").is_some_and(|value| value.contains("immutable")), "{style}");
    Ok(())
}
