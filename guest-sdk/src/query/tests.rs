//! What the builder says to the host, and how the host's answers are read: without a host.

use minicbor::Decoder;

use super::expr::Expr;
use super::set::{row, rows};
use super::shape::{Path, Shape, Verb, flag};
use super::*;
use crate::bindings::covet::orm::query as wit;
use crate::prelude::*;
use crate::wire::{Array, put};

#[derive(Model, Debug, Clone, PartialEq)]
struct Country {
    #[field(primary_key, max_length = 2)]
    code: String,
    name: String,
}

#[derive(Model, Debug, Clone)]
struct Author {
    id: Id<Author>,
    name: String,
    country: Option<ForeignKey<Country>>,
}

#[derive(Model, Debug, Clone)]
struct Post {
    id: Id<Post>,
    title: String,
    author: ForeignKey<Author>,
    parent: Option<ForeignKey<Post>>,
    published: bool,
    views: i64,
    likes: i64,
    price: Decimal,
    created_at: DateTime<Utc>,
    note: Option<String>,
}

/// A filter as text: `author.name exact $0, all(2)`.
fn told(expr: Expr<Post>) -> String {
    let shape = Shape::new(Post::meta(), Verb::Count, 0, &expr.words, &[], &[], &[]);
    let wit::Operation::Count(nodes) = shape.to_wire().operation else { panic!("a count") };
    nodes.iter().map(node).collect::<Vec<_>>().join(", ")
}

fn node(node: &wit::Node) -> String {
    match node {
        wit::Node::Compare(c) => {
            let right = match &c.right {
                wit::Operand::Param(n) => format!("${n}"),
                wit::Operand::Field(path) => field(path),
            };
            format!(
                "{} {} {right}",
                field(&c.left),
                format!("{:?}", c.lookup).trim_start_matches("Lookup::").to_lowercase()
            )
        }
        wit::Node::AllOf(n) => format!("all({n})"),
        wit::Node::AnyOf(n) => format!("any({n})"),
        wit::Node::Negate => "not".into(),
        wit::Node::Field(path) => field(path),
        wit::Node::Param(param) => format!("${}", param.index),
        other => format!("{other:?}"),
    }
}

fn field(path: &wit::FieldPath) -> String {
    path.via.iter().chain([&path.field]).cloned().collect::<Vec<_>>().join(".")
}

/// Parameters as CBOR diagnostic notation.
fn params(array: Array) -> String {
    minicbor::display(&array.finish()).to_string()
}

#[test]
fn filters_are_postfix_and_number_their_parameters_in_order() {
    let a = || Post::views().gt(1);
    let b = || Post::title().contains("x");
    let c = || Post::published().eq(true);
    assert_eq!(told(a() & !(b() | c())), "views gt $0, title contains $1, published exact $2, any(2), not, all(2)");
    let expr = a() & !(b() | c());
    assert_eq!(params(expr.params), r#"[1, "x", true]"#);
}

#[test]
fn paths_walk_relations_by_name() {
    let country = Post::author().then(Author::country());
    assert_eq!(told(country.to(Country::name()).eq("France")), "author.country.name exact $0");
    let grandparent = Post::parent().then(Post::parent()).to(Post::author()).to(Author::name());
    assert_eq!(told(grandparent.eq("Ada")), "parent.parent.author.name exact $0");
}

#[test]
fn a_column_can_be_compared_with_another() {
    assert_eq!(told(Post::views().gt(Post::likes())), "views gt likes");
    assert_eq!(told(Post::title().eq(Post::author().to(Author::name()))), "title exact author.name");
    assert_eq!(told(Post::views().gt(Post::likes()) & Post::likes().gte(3)), "views gt likes, likes gte $0, all(2)");
}

#[test]
fn every_lookup_has_its_name_and_its_parameter() {
    let day = DateTime::from_timestamp_micros(1_000_000).unwrap();
    let price: Decimal = "12.50".parse().unwrap();
    for (expr, name, param) in [
        (Post::title().eq("a"), "title exact $0", r#"["a"]"#),
        (Post::title().ne(String::from("a")), "title exact $0, not", r#"["a"]"#),
        (Post::title().iexact("a"), "title iexact $0", r#"["a"]"#),
        (Post::title().icontains("a"), "title icontains $0", r#"["a"]"#),
        (Post::title().startswith("a"), "title startswith $0", r#"["a"]"#),
        (Post::title().istartswith("a"), "title istartswith $0", r#"["a"]"#),
        (Post::title().endswith("a"), "title endswith $0", r#"["a"]"#),
        (Post::title().iendswith("a"), "title iendswith $0", r#"["a"]"#),
        (Post::title().regex("a"), "title regex $0", r#"["a"]"#),
        (Post::title().iregex("a"), "title iregex $0", r#"["a"]"#),
        (Post::views().gte(1), "views gte $0", "[1]"),
        (Post::views().lt(1), "views lt $0", "[1]"),
        (Post::views().lte(1), "views lte $0", "[1]"),
        (Post::views().is_in([1, 2]), "views in $0", "[[1, 2]]"),
        (Post::views().is_in(Vec::<i64>::new()), "views in $0", "[[]]"),
        (Post::title().is_in(["a"]), "title in $0", r#"[["a"]]"#),
        (Post::views().range(1, 9), "views range $0", "[[1, 9]]"),
        (Post::note().is_null(), "note isnull $0", "[true]"),
        (Post::note().is_not_null(), "note isnull $0", "[false]"),
        (Post::note().eq("n"), "note exact $0", r#"["n"]"#),
        (Post::price().eq(&price), "price exact $0", r#"["12.50"]"#),
        (Post::created_at().lt(day), "created_at lt $0", "[1000000]"),
        (Post::created_at().year(2024), "created_at year $0", "[2024]"),
        (Post::created_at().week_day(1), "created_at weekday $0", "[1]"),
        (Post::created_at().second(59), "created_at second $0", "[59]"),
        (Post::id().eq(7), "id exact $0", "[7]"),
        (Post::id().is_in([Id::of(7)]), "id in $0", "[[7]]"),
        (Post::author().eq(7), "author exact $0", "[7]"),
        (Post::author().eq(Id::<Author>::of(7)), "author exact $0", "[7]"),
        (Post::author().then(Author::country()).eq("FR"), "author.country exact $0", r#"["FR"]"#),
    ] {
        assert_eq!(params(expr.params.clone()), param, "{name}");
        assert_eq!(told(expr), name);
    }
}

#[test]
fn a_row_stands_for_its_key() {
    let author = Author { id: Id::of(3), name: "Ada".into(), country: Some("GB".into()) };
    let country = Country { code: "GB".into(), name: "United Kingdom".into() };
    assert_eq!(params(Post::author().eq(&author).params), "[3]");
    assert_eq!(params(Author::country().eq(&country).params), r#"["GB"]"#);
    assert_eq!(ForeignKey::from(&author).id(), Id::of(3));
}

fn select(set: &QuerySet<Post>) -> String {
    format!("{set:?}")
}

#[test]
fn a_query_is_the_same_words_whenever_it_is_built_the_same_way() {
    let build = |n| Post::objects().filter(Post::views().gt(n)).exclude(Post::published());
    assert_eq!(select(&build(1)), select(&build(2)), "parameters are no part of the shape");
    assert_ne!(select(&build(1)), select(&Post::objects().filter(Post::views().gte(1))));
}

#[test]
fn a_select_names_everything_by_its_path() {
    let order = [super::shape::ordered(Path::field(5), true), super::shape::ordered(Path::field(1), false)];
    let author = Path::field(2);
    let country = author.then(Path::field(2));
    let shape = Shape::new(
        Post::meta(),
        Verb::Select,
        flag::LIMIT | flag::OFFSET | flag::REVERSE,
        &Post::views().gt(1).words,
        &order,
        &[author.word(), country.word()],
        &[],
    );
    let wit::Shape { model, operation: wit::Operation::Select(select), .. } = shape.to_wire() else { panic!() };
    assert_eq!(model, "Post");
    assert_eq!((select.limit, select.offset), (Some(1), Some(2)), "behind the filter's parameters");
    assert!(select.reverse && !select.distinct);
    assert_eq!(select.related, [vec!["author"], vec!["author", "country"]]);
    let order: Vec<_> =
        select.order.iter().map(|o| (o.by.iter().map(node).collect::<String>(), o.descending)).collect();
    assert_eq!(order, [("views".to_string(), true), ("title".to_string(), false)]);
}

#[test]
fn an_update_takes_its_values_behind_those_of_its_filter() {
    let filter = Post::views().gt(1);
    let changes = [Post::views().add(2), Post::title().set("x"), Post::note().set_null()];
    let words: Vec<u64> = changes.iter().map(|c| c.word).collect();
    let shape = Shape::new(Post::meta(), Verb::Update, 0, &filter.words, &words, &[], &[]);
    let wit::Operation::Update(update) = shape.to_wire().operation else { panic!() };
    let value = |a: &wit::Assignment| a.value.iter().map(node).collect::<Vec<_>>().join(", ");
    let told: Vec<_> = update.assignments.iter().map(|a| (a.field.as_str(), value(a))).collect();
    let add = "views, $1, Node::Calculate(Arithmetic::Add)".to_owned();
    assert_eq!(told, [("views", add), ("title", "$2".to_owned()), ("note", "$3".to_owned())]);
    assert_eq!(params(changes[2].params.clone()), "[null]");
}

#[test]
fn related_rows_land_where_they_belong() {
    // [id, title, author, parent, published, views, likes, price, created_at, note, author: […], country: […], parent: null]
    let mut bytes = Vec::new();
    let mut e = put(&mut bytes);
    let _ = e.array(1).and_then(|e| e.array(13));
    let _ = e.i64(7).and_then(|e| e.str("T")).and_then(|e| e.i64(3)).and_then(|e| e.null());
    let _ = e.bool(true).and_then(|e| e.i64(5)).and_then(|e| e.i64(6)).and_then(|e| e.str("1.50"));
    let _ = e.i64(0).and_then(|e| e.null());
    let _ = e.array(3).and_then(|e| e.i64(3)).and_then(|e| e.str("Ada")).and_then(|e| e.str("GB"));
    let _ = e.array(2).and_then(|e| e.str("GB")).and_then(|e| e.str("United Kingdom"));
    let _ = e.null();
    let author = Path::field(2);
    let related = [author.word(), author.then(Path::field(2)).word(), Path::field(3).word()];
    let posts: Vec<Post> = rows(&bytes, |d| row(d, &related, &[])).unwrap();
    let post = &posts[0];
    assert_eq!(post.author.get().unwrap().name, "Ada");
    let country = post.author.get().unwrap().country.as_ref().unwrap();
    assert_eq!(country.get().unwrap().name, "United Kingdom");
    assert!(post.parent.is_none());
    assert_eq!(
        serde_json::to_value(post).unwrap(),
        serde_json::json!({
            "id": 7, "title": "T", "parent": null, "published": true, "views": 5, "likes": 6, "price": "1.50",
            "created_at": "1970-01-01T00:00:00Z", "note": null,
            "author": { "id": 3, "name": "Ada", "country": { "code": "GB", "name": "United Kingdom" } },
        })
    );
}

#[test]
fn rows_that_are_cut_off_or_foreign_are_errors_and_not_panics() {
    for bytes in [
        &[][..],
        &[0x81],
        &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0x81, 0x8a, 0x61],
        &[0xa0],
        &[0x9f, 0xff],
    ] {
        assert!(rows::<Post>(bytes, |d| row(d, &[], &[])).is_err(), "{bytes:x?}");
    }
}

#[test]
fn tuples_of_columns_decode_to_tuples_of_their_types() {
    fn decode<C: Columns<Post>>(_: C, bytes: &[u8]) -> C::Row {
        C::decode(&mut Decoder::new(bytes)).unwrap()
    }
    let mut bytes = Vec::new();
    let _ = put(&mut bytes).str("T").and_then(|e| e.i64(5)).and_then(|e| e.null());
    let country = Post::author().then(Author::country()).to(Country::name());
    let (title, views, country): (String, i64, Option<String>) =
        decode((Post::title(), Post::views(), country), &bytes);
    assert_eq!((title.as_str(), views, country), ("T", 5, None));
}

#[test]
fn a_model_is_described_as_it_is_written() {
    let post = Post::meta().to_wire();
    assert_eq!((post.name.as_str(), post.table.as_str()), ("Post", "posts"));
    let author = &post.fields[2];
    assert_eq!((author.name.as_str(), author.column.as_str()), ("author", "author_id"));
    assert_eq!(author.references.as_ref().unwrap().model, "Author");
    assert!(matches!(author.kind, crate::bindings::covet::orm::schema::Kind::Int64));
    assert!(post.fields[0].primary_key && post.fields[0].auto_increment);
    let author = Author::meta().to_wire();
    let country = &author.fields[2];
    assert!(country.nullable);
    // The key of the model that is pointed to decides.
    assert!(matches!(country.kind, crate::bindings::covet::orm::schema::Kind::Varchar(2)));
}

#[test]
fn a_fingerprint_tells_shapes_and_models_apart_and_nothing_else() {
    let author = Path::field(2).word();
    let shape = |n, related: &[u64]| {
        let filter = Post::views().gt(n);
        Shape::new(Post::meta(), Verb::Select, 0, &filter.words, &[], related, &[]).fingerprint()
    };
    assert_eq!(shape(1, &[author]), shape(2, &[author]));
    assert_ne!(shape(1, &[author]), shape(1, &[]));
    let other = Shape::new(Author::meta(), Verb::Select, 0, &Author::id().eq(1).words, &[], &[], &[]);
    assert_ne!(shape(1, &[]), other.fingerprint());
}

mod many {
    use super::*;
    use crate::model::Related;

    #[derive(Model, Debug, Clone, PartialEq)]
    #[model(default)]
    struct Writer {
        id: Id<Writer>,
        name: String,
        texts: Related<Script>,
    }

    #[derive(Model, Debug, Clone, PartialEq)]
    #[model(default)]
    struct Script {
        id: Id<Script>,
        title: String,
        #[field(related_name = "texts")]
        writer: ForeignKey<Writer>,
        words: ManyToMany<Word>,
    }

    #[derive(Model, Debug, Clone, PartialEq)]
    #[model(default)]
    struct Word {
        id: Id<Word>,
        text: String,
    }

    fn nodes(expr: &Expr<Writer>) -> Vec<String> {
        let shape = Shape::new(Writer::meta(), Verb::Count, 0, &expr.words, &[], &[], &[]);
        let wit::Operation::Count(nodes) = shape.to_wire().operation else { panic!("a count") };
        nodes.iter().map(node).collect()
    }

    #[test]
    fn a_relation_to_many_is_spelled_by_the_field_that_points_back() {
        let titled = Writer::texts().to(Script::title()).contains("x");
        assert_eq!(nodes(&titled), ["Script.writer.title contains $0"]);
        assert_eq!(nodes(&Writer::texts().is_empty()), ["Script.writer.id isnull $0"]);
        let shape =
            Shape::new(Script::meta(), Verb::Count, 0, &Script::words().to(Word::text()).eq("x").words, &[], &[], &[]);
        let wit::Operation::Count(nodes) = shape.to_wire().operation else { panic!("a count") };
        assert_eq!(node(&nodes[0]), "ScriptWordsLink.script.word.text exact $0");
        let column = Writer::texts().to(Script::words().to(Word::text()));
        assert_eq!(column.path.describe(Writer::meta()), "Script.writer.ScriptWordsLink.script.word.text");
        assert_eq!(column.path.parent().and_then(Path::parent).map(|path| path.hops().len()), Some(1));
        assert_eq!(column.path.meta(Writer::meta()).name, "text");
    }

    #[test]
    fn levels_go_to_the_host_with_their_own_parameters() {
        let words = Word::objects().filter(Word::text().startswith("a")).order_by(Word::text().desc());
        let texts = Script::objects()
            .filter(Script::title().ne("x"))
            .limit(3)
            .select_related(Script::writer())
            .prefetch_related(Script::words().with(words));
        let query = Writer::objects().filter(Writer::name().eq("Ada")).prefetch_related(Writer::texts().with(texts));
        let mut params = query.params.clone();
        let levels = super::super::prefetch::levels(&query.prefetch, &mut params).unwrap();
        assert_eq!(super::params(params), r#"["Ada", ["x", 3], ["a"]]"#);
        let shape = Shape::new(Writer::meta(), Verb::Select, 0, &query.filter, &[], &[], &[]).with_levels(levels);
        let wit::Operation::Select(select) = shape.to_wire().operation else { panic!("a select") };
        let [first, second] = &select.prefetch[..] else { panic!("two levels") };
        assert_eq!((first.parent, &first.relation[..]), (None, &["Script.writer".to_owned()][..]));
        assert_eq!((first.limit, &first.related), (Some(1), &vec![vec!["writer".to_owned()]]));
        assert_eq!(second.parent, Some(0));
        assert_eq!(second.relation, ["ScriptWordsLink.script", "word"]);
        assert!(second.order[0].descending && second.limit.is_none());
        let other = Writer::objects().filter(Writer::name().eq("Ada"));
        let plain = Shape::new(Writer::meta(), Verb::Select, 0, &other.filter, &[], &[], &[]);
        assert_ne!(shape.words(), plain.words(), "another shape has another plan");
    }

    #[test]
    fn what_cannot_be_a_level_is_refused_before_the_host_is_asked() {
        for rows in [Script::objects().offset(1), Script::objects().distinct()] {
            let query = Writer::objects().prefetch_related(Writer::texts().with(rows));
            let fault = super::super::prefetch::levels(&query.prefetch, &mut Array::new()).unwrap_err();
            assert!(fault.to_string().contains("prefetch_related:"), "{fault}");
        }
    }

    #[test]
    fn the_graph_finds_its_places() {
        let query = Writer::objects()
            .prefetch_related(Writer::texts().with(Script::objects().prefetch_related(Script::words())));
        // [[1, "Ada", [[7, "On looms", 1, [[9, "card"]]]]], [2, "Eve", []]]
        let answer = b"\x82\x83\x01\x63Ada\x81\x84\x07\x68On looms\x01\x81\x82\x09\x64card\x83\x02\x63Eve\x80";
        let writers: Vec<Writer> = rows(answer, |d| row(d, &[], &query.prefetch)).unwrap();
        let texts = writers[0].texts.rows().unwrap();
        assert_eq!((texts[0].title.as_str(), texts[0].writer.id()), ("On looms", Id::of(1)));
        assert_eq!(texts[0].words.rows().unwrap()[0].text, "card");
        assert_eq!(writers[1].texts.rows().unwrap(), []);
        let json = serde_json::to_string(&writers).unwrap();
        assert!(
            json.contains(r#""texts":[{"id":7,"title":"On looms","writer":1,"words":[{"id":9,"text":"card"}]}]"#),
            "{json}"
        );
        assert!(rows::<Writer>(b"\x81\x82\x01\x63Ada", |d| row(d, &[], &query.prefetch)).is_err(), "a graph cut short");
    }
}
