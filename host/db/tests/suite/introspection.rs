//! What a database says about its tables.

use crate::backend::*;

crate::suite! {
    tables_columns_indexes_and_foreign_keys_are_found, composite_keys_and_descending_indexes_are_told_apart,
    it_says_what_it_is,
}

async fn tables_columns_indexes_and_foreign_keys_are_found(backend: &Backend) {
    let db = backend.open().await;
    let found = db.introspect().await.unwrap();
    let names: Vec<&str> = found.tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["authors", "late", "posts"], "without the database's own");

    let posts = found.table("POSTS").unwrap();
    let key = backend.traits().keys_are_not_null;
    let id = if *backend == Backend::Sqlite { "INTEGER" } else { "BIGINT" };
    let integer = if *backend == Backend::MariaDb { "INT" } else { "INTEGER" };
    let columns: Vec<_> = posts
        .columns
        .iter()
        .map(|c| (c.name.as_str(), c.decl_type.as_str(), c.not_null, c.pk, c.default.as_deref(), c.unique))
        .collect();
    assert_eq!(
        columns,
        [
            ("id", id, key, true, None, true),
            ("slug", "VARCHAR(50)", true, false, None, true),
            ("title", "VARCHAR(50)", true, false, Some("'none'"), false),
            ("views", integer, true, false, Some("0"), false),
            ("author_id", "BIGINT", false, false, None, false),
        ]
    );
    if backend.traits().partial_indexes {
        let named = posts.indexes.iter().find(|index| index.name == "posts_title_views").unwrap();
        assert_eq!(named.columns, ["title", "views"]);
        assert!(named.unique && named.partial);
    }
    assert!(posts.indexes.iter().any(|index| index.unique && index.columns == ["slug"]));
    let [key] = posts.foreign_keys.as_slice() else { panic!("one foreign key: {:?}", posts.foreign_keys) };
    assert_eq!((key.table.as_str(), key.on_delete.as_str()), ("authors", "CASCADE"));
    assert_eq!(
        (key.columns.as_slice(), key.references.as_slice()),
        (&["author_id".to_owned()][..], &["id".to_owned()][..])
    );
}

async fn composite_keys_and_descending_indexes_are_told_apart(backend: &Backend) {
    let db = backend.open().await;
    let (second, named) = if backend.traits().partial_indexes { ("lower(a)", "") } else { ("a", "a") };
    db.execute_batch(vec![
        "CREATE TABLE pairs (a VARCHAR(9), b VARCHAR(9), c VARCHAR(9), PRIMARY KEY (a, b))".into(),
        "CREATE TABLE refs (id BIGINT PRIMARY KEY, pa VARCHAR(9), pb VARCHAR(9), \
         FOREIGN KEY (pa, pb) REFERENCES pairs (a, b) ON DELETE SET NULL)"
            .into(),
        format!("CREATE INDEX pairs_c ON pairs (c DESC, {second})"),
    ])
    .await
    .unwrap();
    let found = db.introspect().await.unwrap();
    let pairs = found.table("pairs").unwrap();
    assert!(pairs.columns.iter().all(|column| !column.unique));
    assert_eq!(pairs.columns.iter().filter(|column| column.pk).count(), 2);
    let [index] = pairs.indexes.as_slice() else {
        panic!("the primary key's own index is left out: {:?}", pairs.indexes)
    };
    assert_eq!(index.columns, ["c", named]);
    assert_eq!(index.descending, [true, false]);
    assert!(!index.unique);
    let [key] = found.table("refs").unwrap().foreign_keys.as_slice() else { panic!("one foreign key of two columns") };
    assert_eq!((key.columns.join(","), key.references.join(",")), ("pa,pb".to_owned(), "a,b".to_owned()));
    assert_eq!(key.on_delete, "SET NULL");
}

async fn it_says_what_it_is(backend: &Backend) {
    let db = backend.open().await;
    let capabilities = db.capabilities().await.unwrap();
    assert_eq!(capabilities.dialect(), db.dialect());
    assert!(capabilities.version.major >= 3, "{capabilities}");
    assert_eq!(capabilities.concurrent_writers(), backend.traits().concurrent_writers);
    assert!(capabilities.returning());
    assert_eq!(capabilities.transactional_ddl(), backend.traits().transactional_ddl);
}
