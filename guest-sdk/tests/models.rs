//! What `#[derive(Model)]` and `#[derive(Choices)]` promise, seen as an author sees it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)]

use covet::model::meta::{Kind, OnDelete};
use covet::prelude::*;

#[derive(Choices, Clone, Copy, Debug, PartialEq)]
enum Status {
    Draft,
    InReview,
    #[choice("live")]
    Published,
}

fn no_shouting(title: &str) -> Result<(), String> {
    match title.chars().any(char::is_lowercase) {
        true => Ok(()),
        false => Err(format!("{title:?} shouts")),
    }
}

#[derive(Model, Debug, Clone)]
#[model(ordering = "-views, title", index(status, -created_at), unique(title, author), default)]
struct BlogPost {
    id: Id<BlogPost>,
    #[field(max_length = 10, min_length = 2, unique, index, validate = no_shouting)]
    title: String,
    #[field(on_delete = "protect", column = "writer")]
    author: ForeignKey<Author>,
    #[field(default = Status::Draft)]
    status: Status,
    #[field(default = 1, min = 0, max = 1_000)]
    views: i64,
    #[field(digits = 12, scale = 4)]
    price: Decimal,
    #[field(default = "none")]
    note: String,
    #[field(private)]
    secret: Option<String>,
    #[field(auto_now_add)]
    created_at: DateTime<Utc>,
    #[field(auto_now)]
    updated_at: Option<DateTime<Utc>>,
}

#[derive(Model, Debug, Clone)]
struct Author {
    id: Id<Author>,
    name: String,
}

#[derive(Model, Debug, Clone, PartialEq)]
#[model(table = "airports")]
struct Airport {
    #[field(primary_key)]
    iata: String,
    #[field(on_delete = "set_null")]
    hub: Option<ForeignKey<Airport>>,
}

fn post() -> BlogPost {
    BlogPost { title: "Looms".into(), author: 7.into(), ..BlogPost::default() }
}

#[test]
fn the_description_says_what_the_attributes_say() {
    let meta = BlogPost::meta();
    assert_eq!((meta.name, meta.table), ("BlogPost", "blog_posts"));
    let field = |name: &str| meta.fields.iter().find(|f| f.name == name).unwrap();
    assert_eq!(field("title").kind, Kind::Varchar(10));
    assert!(field("title").unique && field("title").indexed);
    assert_eq!(field("author").column, Some("writer"));
    assert!(matches!(field("author").on_delete, OnDelete::Protect));
    assert_eq!((field("author").target.unwrap())().name, "Author");
    assert_eq!(field("status").kind, Kind::Enumeration(&["draft", "in_review", "live"]));
    assert_eq!(field("price").kind, Kind::Decimal { digits: 12, scale: 4 });
    assert_eq!((field("views").default.unwrap())(), [1]);
    assert_eq!((field("status").default.unwrap())(), b"\x65draft");
    assert!(field("secret").nullable && !field("note").nullable);
    assert!(meta.key_field().auto);
    let ordering: Vec<_> = meta.ordering.iter().map(|c| (c.field, c.descending)).collect();
    assert_eq!(ordering, [("views", true), ("title", false)]);
    assert_eq!(meta.indexes.len(), 2);
    assert!(!meta.indexes[0].unique && meta.indexes[0].columns[1].descending);
    assert!(meta.indexes[1].unique);
}

#[test]
fn a_key_may_be_any_text_and_a_model_may_point_to_itself() {
    let meta = Airport::meta();
    assert_eq!(meta.key_field().name, "iata");
    assert!(!meta.key_field().auto);
    assert_eq!(meta.fields[1].kind, Kind::Text);
    let hub = Airport { iata: "ATL".into(), hub: None };
    let small = Airport { iata: "CSG".into(), hub: Some((&hub).into()) };
    assert_eq!(small.hub.as_ref().unwrap().key(), "ATL");
    assert_eq!(serde_json(&small), r#"{"iata":"CSG","hub":"ATL"}"#);
    let loaded = Airport { hub: Some(hub.into()), ..small };
    assert_eq!(serde_json(&loaded), r#"{"iata":"CSG","hub":{"iata":"ATL","hub":null}}"#);
}

fn serde_json(value: &impl Serialize) -> String {
    covet::serde_json::to_string(value).unwrap()
}

#[test]
fn defaults_are_those_of_the_fields() {
    let post = BlogPost::default();
    assert_eq!((post.views, post.status, post.note.as_str()), (1, Status::Draft, "none"));
    assert!(!post.id.is_saved());
}

#[test]
fn rules_of_fields_are_checked_and_the_field_is_named() {
    let refused = |post: BlogPost| post.check().unwrap_err().to_string();
    assert!(post().check().is_ok());
    assert_eq!(refused(BlogPost { title: "L".into(), ..post() }), "title: must have at least 2 characters");
    assert_eq!(refused(BlogPost { title: "Looms, again".into(), ..post() }), "title: must have at most 10 characters");
    assert!(BlogPost { title: "größer…öäü".into(), ..post() }.check().is_ok(), "characters, not bytes");
    assert_eq!(refused(BlogPost { title: "LOOMS".into(), ..post() }), "title: \"LOOMS\" shouts");
    assert_eq!(refused(BlogPost { views: -1, ..post() }), "views: must be at least 0");
    assert_eq!(refused(BlogPost { views: 1_001, ..post() }), "views: must be at most 1000");
    assert!(
        refused(BlogPost { author: ForeignKey::default(), ..post() })
            .starts_with("author: points to a row that is not saved")
    );
}

#[test]
fn the_moment_is_filled_in_at_the_first_save_or_at_every_one() {
    let mut post = post();
    let before = Utc::now() - Duration::microseconds(1);
    post.touch(true);
    assert!(post.created_at >= before);
    assert_eq!(post.updated_at, Some(post.created_at), "one moment for all fields");
    let created = post.created_at;
    post.touch(false);
    assert_eq!(post.created_at, created);
}

fn even(number: &i32) -> Result<(), &'static str> {
    if number % 2 == 0 { Ok(()) } else { Err("must be even") }
}

fn small(number: &i32) -> Result<(), &'static str> {
    if *number < 100 { Ok(()) } else { Err("must be small") }
}

#[derive(Model, Debug, Clone)]
#[model(
    db_table = "shop_offers",
    unique_together(name, state, where = Offer::state().eq("on"), name = "one_on"),
    index(name, folded),
    check("in_order", Offer::ends().gte(Offer::begins())),
    check(!Offer::name().eq("x") | Offer::begins().is_null()),
    managed = false,
    max_query_limit = 500,
    default
)]
struct Offer {
    id: Id<Offer>,
    #[field(default_factory = fresh_name)]
    name: String,
    #[field(choices = ["on", "off"], default = "on")]
    state: String,
    #[field(choices = [1, 2, 3], default = 1)]
    stars: i16,
    #[field(validators = [even, small], min_value = -5)]
    rank: i32,
    count: u32,
    begins: Option<Date>,
    ends: Option<Date>,
    #[field(max_length = 5)]
    tags: Vec<String>,
    #[field(db_column = "address", db_index)]
    from: Option<std::net::IpAddr>,
    #[field(max_length = 80)]
    slug: Option<Slug>,
    #[field(on_delete = set(7))]
    author: Option<ForeignKey<Author>>,
}

fn fresh_name() -> String {
    "fresh".into()
}

#[test]
fn a_models_rules_reach_the_description() {
    use covet::bindings::covet::orm::{query::Node, schema};
    let wire = covet::plugin::describe("p", "1", &[], &[Offer::meta()]).models.remove(0);
    assert_eq!((wire.table.as_str(), wire.managed, wire.max_rows), ("shop_offers", false, Some(500)));
    let one_on = &wire.indexes[0];
    assert!(one_on.unique && one_on.name == "one_on");
    let condition = one_on.condition.as_ref().unwrap();
    assert!(matches!(&condition.filter[..], [Node::Compare(c)] if c.left.field == "state"));
    assert_eq!(condition.params, b"\x81\x62on");
    assert!(wire.indexes[1].folded && wire.indexes[1].condition.is_none());
    let checks: Vec<(&str, usize)> = wire.checks.iter().map(|c| (c.name.as_str(), c.condition.filter.len())).collect();
    assert_eq!(checks, [("ck_shop_offers_rank", 1), ("ck_shop_offers_count", 1), ("in_order", 1), ("", 4)]);
    let field = |name: &str| wire.fields.iter().find(|f| f.name == name).unwrap();
    assert!(matches!(&field("state").kind, schema::Kind::Enumeration(all) if all[..] == ["on", "off"]));
    assert!(matches!(field("count").kind, schema::Kind::Int64));
    assert!(matches!(field("slug").kind, schema::Kind::Slug(80)));
    assert!(matches!(&field("tags").kind, schema::Kind::Array(spec) if spec.size == Some(5)));
    assert_eq!((field("from").column.as_str(), field("from").indexed), ("address", true));
    assert_eq!(field("name").default, None, "a factory is no constant");
    let author = field("author").references.as_ref().unwrap();
    assert!(matches!(author.on_delete, schema::OnDelete::SetValue) && author.value == Some(vec![7]));
}

#[test]
fn choices_factories_and_several_validators_hold_before_a_row_is_stored() {
    let offer = || Offer { name: "a".into(), ..Offer::default() };
    assert_eq!((Offer::default().name.as_str(), Offer::default().stars), ("fresh", 1));
    assert!(offer().check().is_ok());
    let refused = |offer: Offer| offer.check().unwrap_err().to_string();
    assert_eq!(refused(Offer { stars: 4, ..offer() }), "stars: must be one of: 1, 2, 3");
    assert_eq!(refused(Offer { rank: 3, ..offer() }), "rank: must be even");
    assert_eq!(refused(Offer { rank: 102, ..offer() }), "rank: must be small");
    assert_eq!(refused(Offer { rank: -6, ..offer() }), "rank: must be at least -5");
}

#[derive(Model, Debug, Clone)]
#[model(hooks, identity, default)]
struct Span {
    id: Id<Span>,
    from: i32,
    to: i32,
    #[field(min = 0)]
    price: i64,
    paid: covet::money::Money<covet::money::Eur>,
}

impl Hooks for Span {
    fn clean(&self) -> Result<()> {
        match self.from <= self.to {
            true => Ok(()),
            false => Err(Error::invalid("to", "is before `from`")),
        }
    }
}

#[test]
fn full_clean_asks_the_fields_and_then_the_model() {
    let span = |from, to, price| Span { from, to, price, ..Span::default() };
    assert!(span(1, 2, 0).full_clean().is_ok());
    assert_eq!(span(2, 1, 0).full_clean().unwrap_err().to_string(), "to: is before `from`");
    assert_eq!(span(2, 1, -1).full_clean().unwrap_err().to_string(), "price: must be at least 0");
    assert!(span(2, 1, 0).check().is_ok(), "the fields alone");
}

#[test]
fn a_hook_that_refuses_stops_before_the_host_is_asked() {
    #[derive(Model, Clone)]
    #[model(hooks, default)]
    struct Locked {
        id: Id<Locked>,
    }
    impl Hooks for Locked {
        async fn pre_save(&mut self, new: bool) -> Result<()> {
            Err(Error::invalid("id", format!("locked, new: {new}")))
        }
        async fn pre_delete(&self) -> Result<()> {
            Err(Error::invalid("id", "locked"))
        }
    }
    use covet::futures::executor::block_on;
    // Outside of a host a query panics: none is asked.
    let said = |result: Result<()>| result.unwrap_err().to_string();
    assert_eq!(said(block_on(Locked::default().save())), "id: locked, new: true");
    assert_eq!(said(block_on(Locked { id: Id::of(1) }.save())), "id: locked, new: false");
    assert_eq!(
        said(block_on(async { Locked::objects().create(Locked::default()).await.map(drop) })),
        "id: locked, new: true"
    );
    assert_eq!(said(block_on(async { Locked { id: Id::of(1) }.delete().await.map(drop) })), "id: locked");
}

#[test]
fn identity_is_that_of_the_key() {
    let (one, same, other) = (Id::of(1), Id::of(1), Id::of(2));
    let of = |id, from| Span { id, from, ..Span::default() };
    assert_eq!(of(one, 1), of(same, 2));
    assert_ne!(of(one, 1), of(other, 1));
    assert_ne!(Span::default(), Span::default(), "neither is stored");
    let unsaved = Span::default();
    assert_eq!(unsaved, unsaved, "itself");
    let set: std::collections::HashSet<Span> = [of(one, 1), of(same, 2), of(other, 3)].into_iter().collect();
    assert_eq!(set.len(), 2);
}

#[test]
fn json_leaves_out_what_is_private() {
    let json = covet::serde_json::to_value(BlogPost { secret: Some("s".into()), ..post() }).unwrap();
    assert!(json.get("secret").is_none());
    assert_eq!(json["author"], 7);
    assert_eq!(json["id"], covet::serde_json::Value::Null);
    assert_eq!(json["status"], "draft");
}

#[test]
fn choices_are_the_same_words_everywhere() {
    assert_eq!(Status::ALL.len(), 3);
    assert_eq!(Status::InReview.as_str(), "in_review");
    assert_eq!("live".parse(), Ok(Status::Published));
    assert_eq!("Live".parse::<Status>(), Err("one of: draft, in_review, live"));
    assert_eq!(format!("{:>6}", Status::Published), "  live");
    assert_eq!(covet::serde_json::from_str::<Status>("\"draft\"").unwrap(), Status::Draft);
    assert!(covet::serde_json::from_str::<Status>("\"gone\"").unwrap_err().to_string().contains("in_review"));
}

#[test]
fn ids_of_different_models_are_different_types_and_read_as_numbers() {
    let id: Id<Author> = "12".parse().unwrap();
    assert_eq!((id.get(), id.to_string().as_str()), (Some(12), "12"));
    assert_eq!(covet::serde_json::from_str::<Id<Author>>("null").unwrap(), Id::unsaved());
    assert_eq!(serde_json(&id), "12");
}

/// The issue's limit: 256 bytes for an instance, with its relations not loaded.
#[test]
fn an_ordinary_model_instance_fits_in_256_bytes() {
    #[derive(Model)]
    #[allow(dead_code)]
    struct Ordinary {
        id: Id<Ordinary>,
        title: String,
        body: String,
        author: ForeignKey<Author>,
        editor: Option<ForeignKey<Author>>,
        published: bool,
        views: i64,
        created_at: DateTime<Utc>,
    }
    assert!(size_of::<Ordinary>() <= 256, "{}", size_of::<Ordinary>());
    assert_eq!(size_of::<ForeignKey<Author>>(), 16);
    assert_eq!(size_of::<Id<Author>>(), 8);
    assert!(size_of::<BlogPost>() <= 256, "{}", size_of::<BlogPost>());
}
