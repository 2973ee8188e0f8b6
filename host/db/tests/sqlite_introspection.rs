//! What a file says about its tables.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test is how it speaks")]

mod common;

use common::*;

#[tokio::test]
async fn tables_columns_indexes_and_foreign_keys_are_found() {
    let db = open().await;
    let found = db.introspect().await.unwrap();
    let names: Vec<&str> = found.tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["authors", "late", "posts"], "without sqlite_sequence");

    let posts = found.table("POSTS").unwrap();
    let columns: Vec<_> = posts
        .columns
        .iter()
        .map(|c| (c.name.as_str(), c.decl_type.as_str(), c.not_null, c.pk, c.default.as_deref(), c.unique))
        .collect();
    assert_eq!(
        columns,
        [
            ("id", "INTEGER", false, true, None, true),
            ("slug", "TEXT", true, false, None, true),
            ("title", "TEXT", true, false, Some("'none'"), false),
            ("views", "INTEGER", true, false, Some("0"), false),
            ("author_id", "INTEGER", false, false, None, false),
        ]
    );
    let named = posts.indexes.iter().find(|index| index.name == "posts_title_views").unwrap();
    assert_eq!(named.columns, ["title", "views"]);
    assert!(named.unique && named.partial);
    assert!(posts.indexes.iter().any(|index| index.unique && index.columns == ["slug"]));
    let [key] = posts.foreign_keys.as_slice() else { panic!("one foreign key: {:?}", posts.foreign_keys) };
    assert_eq!((key.table.as_str(), key.on_delete.as_str()), ("authors", "CASCADE"));
    assert_eq!(
        (key.columns.as_slice(), key.references.as_slice()),
        (&["author_id".to_owned()][..], &["id".to_owned()][..])
    );
}

#[tokio::test]
async fn composite_keys_and_descending_indexes_are_told_apart() {
    let db = open().await;
    db.execute_batch(vec![
        "CREATE TABLE pairs (a TEXT, b TEXT, c TEXT, PRIMARY KEY (a, b))".into(),
        "CREATE INDEX pairs_c ON pairs (c DESC, lower(a))".into(),
    ])
    .await
    .unwrap();
    let found = db.introspect().await.unwrap();
    let pairs = found.table("pairs").unwrap();
    assert!(pairs.columns.iter().all(|column| !column.unique));
    let [index] = pairs.indexes.as_slice() else {
        panic!("the primary key's own index is left out: {:?}", pairs.indexes)
    };
    assert_eq!(index.columns, ["c", ""]);
    assert_eq!(index.descending, [true, false]);
    assert!(!index.unique);
}
