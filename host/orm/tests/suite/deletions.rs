//! What goes along with a deleted row, what forbids it, and what is counted, against real databases.

use std::sync::Arc;

use crate::common::*;
use crate::items;
use covet_db::DbError;
use covet_orm::schema::{DecimalSpec, Field, Kind, Model, OnDelete, Relation};
use covet_orm::shape::{Insert, Lookup, Operation, Shape};
use covet_orm::{Call, QueryError, plan};

fn all() -> Operation {
    Operation::Delete(vec![])
}

fn one() -> Operation {
    Operation::Delete(vec![is("id", Lookup::Exact, 0)])
}

/// `[["Author", 1], ["Post", 2]]`
fn gone(pairs: &[(&str, i64)]) -> Item {
    Item::Array(pairs.iter().map(|(model, rows)| items![*model, *rows].into()).collect())
}

async fn count(blog: &Blog, model: &str) -> i64 {
    blog.run(model, Operation::Count(vec![]), vec![]).await.int()
}

fn refused(answer: Result<Item, QueryError>) -> String {
    match answer {
        Err(QueryError::Db(DbError::ForeignKeyViolation(why))) => why,
        other => panic!("{other:?}"),
    }
}

/// Region ← Shop (cascade) ← Sale (rule of `sale`) and Till (cascade).
async fn shops(sale: Field) -> Blog {
    let models = vec![
        model("Region", "regions", vec![id()]),
        model("Shop", "shops", vec![id(), to("region", "Region", OnDelete::Cascade)]),
        model("Till", "tills", vec![id(), to("shop", "Shop", OnDelete::Cascade)]),
        model("Sale", "sales", vec![id(), sale]),
    ];
    let shops = Blog::of(models).await;
    for region in [1, 2] {
        shops.run("Region", insert(&["id"]), items![region]).await;
    }
    for (shop, region) in [(1, 1), (2, 1), (3, 2)] {
        shops.run("Shop", insert(&["id", "region"]), items![shop, region]).await;
        shops.run("Till", insert(&["shop"]), items![shop]).await;
        shops.run("Till", insert(&["shop"]), items![shop]).await;
    }
    shops
}

#[tokio::test]
async fn cascades_run_down_the_chain_and_are_counted_by_model() {
    let shops = shops(to("shop", "Shop", OnDelete::Cascade)).await;
    shops.run("Sale", insert(&["shop"]), items![1]).await;
    let taken = shops.run("Region", one(), items![1]).await;
    assert_eq!(taken, gone(&[("Region", 1), ("Shop", 2), ("Till", 4), ("Sale", 1)]));
    assert_eq!([count(&shops, "Shop").await, count(&shops, "Till").await, count(&shops, "Sale").await], [1, 2, 0]);
    assert_eq!(shops.run("Region", one(), items![1]).await, gone(&[("Region", 0)]), "nothing was there");
    assert_eq!(shops.run("Till", all(), vec![]).await, gone(&[("Till", 2)]), "a model that nothing points to");
}

#[tokio::test]
async fn protect_names_the_model_and_changes_nothing() {
    let shops = shops(to("shop", "Shop", OnDelete::Protect)).await;
    shops.run("Sale", insert(&["shop"]), items![2]).await;
    let why = refused(shops.try_run("Region", one(), items![1]).await);
    assert!(why.contains("Sale.shop: 1 row of Sale points to"), "{why}");
    assert_eq!([count(&shops, "Region").await, count(&shops, "Till").await], [2, 6]);
    shops.run("Sale", insert(&["shop"]), items![1]).await;
    let why = refused(shops.try_run("Region", all(), vec![]).await);
    assert!(why.contains("2 rows of Sale point to"), "{why}");
    assert_eq!(shops.run("Region", one(), items![2]).await, gone(&[("Region", 1), ("Shop", 1), ("Till", 2)]));
}

/// Album → Artist (cascade), Song → Album (restrict) and → Artist (cascade): Django's own example.
#[tokio::test]
async fn restrict_gives_way_to_a_cascade_by_another_path() {
    let models = vec![
        model("Artist", "artists", vec![id()]),
        model("Album", "albums", vec![id(), to("artist", "Artist", OnDelete::Cascade)]),
        model(
            "Song",
            "songs",
            vec![id(), to("artist", "Artist", OnDelete::Cascade), to("album", "Album", OnDelete::Restrict)],
        ),
    ];
    let music = Blog::of(models).await;
    for artist in [1, 2] {
        music.run("Artist", insert(&["id"]), items![artist]).await;
        music.run("Album", insert(&["id", "artist"]), items![artist, artist]).await;
    }
    for (artist, album) in [(1, 1), (1, 1), (1, 2)] {
        music.run("Song", insert(&["artist", "album"]), items![artist, album]).await;
    }
    let why = refused(music.try_run("Album", one(), items![1]).await);
    assert!(why.contains("Song.album: 2 rows of Song"), "{why}");
    let why = refused(music.try_run("Artist", one(), items![2]).await);
    assert!(why.contains("Song.album: 1 row of Song"), "a song of the other artist: {why}");
    let taken = music.run("Artist", one(), items![1]).await;
    assert_eq!(taken, gone(&[("Artist", 1), ("Album", 1), ("Song", 3)]));
    assert_eq!(music.run("Artist", one(), items![2]).await, gone(&[("Artist", 1), ("Album", 1)]));
}

#[tokio::test]
async fn relations_become_null_their_default_or_a_named_key() {
    let set_to = |on_delete, value: Option<i64>| Field {
        references: Some(Relation {
            model: "Shop".into(),
            on_delete,
            value: value.map(|value| Item::Int(value).encode()),
        }),
        ..to("shop", "Shop", on_delete)
    };
    for (sale, left) in [
        (nullable(set_to(OnDelete::SetNull, None)), Item::Null),
        (defaulted(set_to(OnDelete::SetDefault, None), 3), Item::Int(3)),
        (set_to(OnDelete::SetValue, Some(3)), Item::Int(3)),
    ] {
        let shops = shops(sale).await;
        for shop in [1, 1, 2, 3] {
            shops.run("Sale", insert(&["shop"]), items![shop]).await;
        }
        let taken = shops.run("Region", one(), items![1]).await;
        assert_eq!(taken, gone(&[("Region", 1), ("Shop", 2), ("Till", 4)]), "changed rows are not counted");
        let select = covet_orm::shape::Select { order: vec![order("id")], ..Default::default() };
        let sales = shops.run("Sale", Operation::Select(select), vec![]).await.array();
        let points: Vec<Item> = sales.into_iter().map(|row| row.array()[1].clone()).collect();
        assert_eq!(points, [left.clone(), left.clone(), left, Item::Int(3)]);
    }
}

#[tokio::test]
async fn a_key_that_is_set_must_exist_or_nothing_happens() {
    let sale = Field {
        references: Some(Relation {
            model: "Shop".into(),
            on_delete: OnDelete::SetValue,
            value: Some(Item::Int(99).encode()),
        }),
        ..to("shop", "Shop", OnDelete::SetValue)
    };
    let shops = shops(sale).await;
    shops.run("Sale", insert(&["shop"]), items![1]).await;
    refused(shops.try_run("Shop", one(), items![1]).await);
    assert_eq!([count(&shops, "Shop").await, count(&shops, "Till").await, count(&shops, "Sale").await], [3, 6, 1]);
}

#[tokio::test]
async fn do_nothing_leaves_it_to_the_database_which_undoes_the_whole() {
    let shops = shops(to("shop", "Shop", OnDelete::DoNothing)).await;
    shops.run("Sale", insert(&["shop"]), items![1]).await;
    refused(shops.try_run("Region", one(), items![1]).await);
    assert_eq!([count(&shops, "Region").await, count(&shops, "Shop").await, count(&shops, "Till").await], [2, 3, 6]);
}

fn node() -> Vec<Model> {
    vec![model("Node", "nodes", vec![id(), nullable(to("parent", "Node", OnDelete::Cascade))])]
}

#[tokio::test]
async fn a_tree_and_a_ring_of_rows_go_as_a_whole() {
    let tree = Blog::of(node()).await;
    tree.run("Node", insert(&["id"]), items![1]).await;
    for child in 2..=127 {
        tree.run("Node", insert(&["id", "parent"]), items![child, child / 2]).await;
    }
    // A full binary tree of 127: each half has 63.
    assert_eq!(tree.run("Node", one(), items![2]).await, gone(&[("Node", 63)]));
    let ring = update(vec![is("id", Lookup::Exact, 0)], vec![change("parent", Change::Set, 1)]);
    tree.run("Node", ring, items![1, 3]).await;
    let rest = count(&tree, "Node").await;
    assert_eq!(tree.run("Node", one(), items![3]).await, gone(&[("Node", rest)]));
    assert_eq!(count(&tree, "Node").await, 0);
}

#[tokio::test]
async fn more_rows_than_one_list_holds_go_in_portions() {
    let tree = Blog::of(node()).await;
    tree.run("Node", insert(&["id"]), items![1]).await;
    let rows: Vec<Item> = (2..=25_000).map(|id| items![id, 1].into()).collect();
    let fields = vec!["id".to_owned(), "parent".to_owned()];
    tree.run("Node", Operation::Insert(Insert { fields, many: true, ignore_conflicts: false }), rows).await;
    assert_eq!(tree.run("Node", one(), items![1]).await, gone(&[("Node", 25_000)]));
    assert_eq!(count(&tree, "Node").await, 0);
}

#[tokio::test]
async fn a_refusal_inside_a_transaction_leaves_it_as_it_was() {
    let shops = shops(to("shop", "Shop", OnDelete::DoNothing)).await;
    shops.run("Sale", insert(&["shop"]), items![1]).await;
    let program = |model: &str, operation, params| {
        let plan = plan(&shops.catalog, shops.engine.dialect(), &Shape::of(model, operation)).unwrap();
        match Call::of(&Arc::new(plan), &Item::Array(params).encode()).unwrap() {
            Call::Program(program) => program,
            Call::Work(work) => panic!("{work:?}"),
        }
    };
    let transaction = shops.database.begin(covet_db::BeginOptions::default(), deadline()).await.unwrap();
    let taken = program("Region", one(), items![2]).within(&transaction).await.unwrap();
    assert_eq!(Item::decode(&taken.item), gone(&[("Region", 1), ("Shop", 1), ("Till", 2)]));
    program("Region", one(), items![1]).within(&transaction).await.unwrap_err();
    let taken = program("Till", all(), vec![]).within(&transaction).await.unwrap();
    assert_eq!(Item::decode(&taken.item), gone(&[("Till", 4)]), "the refused one is undone, what was before it is not");
    transaction.commit().await.unwrap();
    assert_eq!([count(&shops, "Region").await, count(&shops, "Till").await], [1, 0]);
}

#[tokio::test]
async fn keys_of_every_kind_are_followed() {
    for (kind, key) in [
        (Kind::Uuid, Item::Bytes(vec![7; 16])),
        (Kind::Varchar(60), "a'b\\c".into()),
        (Kind::Int32, Item::Int(-1)),
        (Kind::Date, Item::Int(1)),
        (Kind::Email, "a@example.org".into()),
        (Kind::Decimal(DecimalSpec { digits: 30, scale: 2 }), "12.50".into()),
    ] {
        let own = Field { primary_key: true, ..field("key", kind.clone()) };
        let parent = Field { kind: kind.clone(), ..nullable(to("parent", "Thing", OnDelete::Cascade)) };
        let things = Blog::of(vec![model("Thing", "things", vec![own, parent])]).await;
        things.run("Thing", insert(&["key"]), vec![key.clone()]).await;
        let ring = update(vec![], vec![change("parent", Change::Set, 0)]);
        things.run("Thing", ring, vec![key]).await;
        assert_eq!(things.run("Thing", all(), vec![]).await, gone(&[("Thing", 1)]), "{kind:?}");
    }
}
