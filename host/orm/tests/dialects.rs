//! The words of each dialect: what PostgreSQL and MySQL are asked, text for text.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test is how it speaks")]

mod common;

use common::*;
use covet_db::{Kind as Stored, Param, Value, Work};
use covet_orm::schema::{Kind, Model, OnDelete};
use covet_orm::shape::{GetOrCreate, Insert, Lookup, Node, Operation, Select, Shape};
use covet_orm::{Catalog, Dialect, Plan, QueryError, ddl, plan};

fn planned(dialect: Dialect, model: &str, operation: Operation) -> Plan {
    plan(&Catalog::new(blog()).unwrap(), dialect, &Shape::of(model, operation)).unwrap()
}

/// What follows `FROM "posts" AS "t0" WHERE` in a count.
fn condition(dialect: Dialect, filter: Vec<Node>) -> String {
    let plan = planned(dialect, "Post", Operation::Count(filter));
    plan.sql().split_once(" WHERE ").unwrap().1.to_owned()
}

#[test]
fn each_lookup_has_its_words() {
    use Lookup::*;
    let cases: Vec<(&str, Lookup, &str, &str)> = vec![
        ("slug", Exact, r#""t0"."slug" = $1"#, "`t0`.`slug` = ?"),
        (
            "subtitle",
            Exact,
            r#""t0"."subtitle" = $1 OR ("t0"."subtitle" IS NULL AND $2 IS NULL)"#,
            "`t0`.`subtitle` <=> ?",
        ),
        (
            "title",
            Iexact,
            r#"(replace(lower("t0"."title" COLLATE "und-x-icu"), 'ς', 'σ')) = $1"#,
            "(CAST(REPLACE(LOWER(REPLACE(CONVERT(`t0`.`title` USING utf8mb4) COLLATE utf8mb4_unicode_520_ci, 'İ', 'i̇')), 'ς', 'σ') AS BINARY)) = ?",
        ),
        ("title", Contains, r#"strpos("t0"."title", $1) > 0"#, "LOCATE(?, CAST(`t0`.`title` AS BINARY)) > 0"),
        ("title", Startswith, r#""t0"."title" ^@ $1"#, "`t0`.`title` LIKE ? ESCAPE '|'"),
        (
            "title",
            Endswith,
            r#"right("t0"."title", length($1)) = $2"#,
            "RIGHT(CAST(`t0`.`title` AS BINARY), LENGTH(?)) = ?",
        ),
        ("title", Regex, r#""t0"."title" COLLATE "und-x-icu" ~ $1"#, "`t0`.`title` REGEXP ?"),
        ("views", In, r#""t0"."views" = ANY($1)"#, "`t0`.`views` IN (/*list*/?)"),
        ("views", Range, r#""t0"."views" BETWEEN $1 AND $2"#, "`t0`.`views` BETWEEN ? AND ?"),
        ("rating", Isnull, r#"("t0"."rating" IS NULL) = $1"#, "(`t0`.`rating` IS NULL) = ?"),
        ("created_at", Gte, r#""t0"."created_at" > $1"#, "`t0`.`created_at` > ?"),
        (
            "created_at",
            Second,
            r#"(CAST(FLOOR(EXTRACT(SECOND FROM "t0"."created_at" AT TIME ZONE 'UTC')) AS BIGINT)) = $1"#,
            "(CAST(SECOND(`t0`.`created_at`) AS SIGNED)) = ?",
        ),
        (
            "born",
            WeekDay,
            r#"(CAST(FLOOR(EXTRACT(ISODOW FROM "t0"."born")) AS BIGINT)) = $1"#,
            "(CAST(WEEKDAY(`t0`.`born`) + 1 AS SIGNED)) = ?",
        ),
    ];
    for (field, lookup, postgres, mysql) in cases {
        assert_eq!(condition(Dialect::Postgres, vec![is(field, lookup, 0)]), postgres, "{field} {lookup:?}");
        assert_eq!(condition(Dialect::MySql, vec![is(field, lookup, 0)]), mysql, "{field} {lookup:?}");
    }
    // Under a negation nothing may be null, and no index is at stake.
    let negated = |dialect, field, lookup| condition(dialect, vec![is(field, lookup, 0), Node::Negate]);
    assert_eq!(negated(Dialect::Postgres, "subtitle", Exact), r#"NOT ("t0"."subtitle" IS NOT DISTINCT FROM $1)"#);
    assert_eq!(negated(Dialect::MySql, "views", In), "NOT ((`t0`.`views` IN (/*list*/?)) IS TRUE)");
}

#[test]
fn pages_say_where_nulls_stand_and_what_no_limit_is() {
    let page = || {
        Operation::Select(Select {
            fields: values(&["id"]),
            order: vec![order("subtitle"), order("-rating"), order("views")],
            offset: Some(0),
            ..Select::default()
        })
    };
    assert_eq!(
        planned(Dialect::Postgres, "Post", page()).sql(),
        concat!(
            r#"SELECT "t0"."id" FROM "posts" AS "t0" ORDER BY "t0"."subtitle" ASC NULLS FIRST, "#,
            r#""t0"."rating" DESC NULLS LAST, "t0"."views" ASC, "t0"."id" ASC OFFSET $1"#
        )
    );
    let mysql = planned(Dialect::MySql, "Post", page());
    assert_eq!(
        mysql.sql(),
        concat!(
            "SELECT `t0`.`id` FROM `posts` AS `t0` ORDER BY `t0`.`subtitle` ASC, `t0`.`rating` DESC, ",
            "`t0`.`views` ASC, `t0`.`id` ASC LIMIT ? OFFSET ?"
        )
    );
    let work = mysql.bind(&Item::Array(items![3]).encode()).unwrap();
    assert!(matches!(work, Work::Query { params, .. } if params == [Value::Int(i64::MAX), Value::Int(3)]));
}

fn insert_of(fields: &[&str], many: bool, ignore_conflicts: bool) -> Operation {
    let fields = fields.iter().map(|field| (*field).to_owned()).collect();
    Operation::Insert(Insert { fields, many, ignore_conflicts })
}

#[test]
fn inserts_take_rows_as_each_driver_does() {
    let insert = |dialect, fields: &[&str], ignore| {
        let plan = planned(dialect, "Author", insert_of(fields, true, ignore));
        let row = items![Item::from(fields.iter().map(|_| Item::from("x")).collect::<Vec<Item>>())];
        let Work::Insert { statement, .. } = plan.bind(&Item::Array(row).encode()).unwrap() else { panic!() };
        (statement.sql().to_owned(), statement.params().to_vec())
    };
    let (sql, params) = insert(Dialect::Postgres, &["name"], false);
    assert_eq!(sql, r#"INSERT INTO "authors" ("name") SELECT * FROM UNNEST($1::text[]) RETURNING "id""#);
    assert_eq!(params, [Param::list(Stored::Text)]);
    assert_eq!(
        insert(Dialect::Postgres, &["name"], true).0,
        concat!(
            r#"WITH given AS (SELECT u.*, nextval(pg_get_serial_sequence('"authors"', 'id')) AS new_key "#,
            r#"FROM UNNEST($1::text[]) WITH ORDINALITY AS u (v1, place)), "#,
            r#"stored AS (INSERT INTO "authors" ("name", "id") SELECT v1, new_key FROM given "#,
            r#"ORDER BY place ON CONFLICT DO NOTHING RETURNING "id" AS stored_key) "#,
            r#"SELECT stored_key FROM given LEFT JOIN stored ON stored_key = new_key ORDER BY place"#
        )
    );
    let (sql, params) = insert(Dialect::MySql, &["name"], true);
    assert_eq!(sql, "INSERT /*ignore*/ INTO `authors` (`name`) VALUES /*row*/(?)");
    assert_eq!(params, [Param::one(Stored::Text)]);
    let both = GetOrCreate {
        filter: vec![is("name", Lookup::Exact, 0)],
        create: Insert { fields: vec!["name".into()], many: false, ignore_conflicts: false },
    };
    for (dialect, wanted) in [
        (Dialect::Postgres, r#"INSERT INTO "countries" ("name") VALUES ($1) RETURNING "id""#),
        (Dialect::MySql, "INSERT INTO `countries` (`name`) VALUES (?)"),
    ] {
        let plan = planned(dialect, "Country", Operation::GetOrCreate(both.clone()));
        let Work::GetOrCreate { insert, .. } = plan.bind(&Item::Array(items!["a", "a"]).encode()).unwrap() else {
            panic!()
        };
        assert_eq!(insert.sql(), wanted);
    }
}

#[test]
fn writes_through_relations_set_the_keys_apart() {
    let filter = || vec![is("author.name", Lookup::Exact, 0)];
    assert_eq!(
        planned(Dialect::MySql, "Post", Operation::Delete(filter())).sql(),
        concat!(
            "DELETE FROM `posts` WHERE `posts`.`id` IN (SELECT `found`.`id` FROM (SELECT DISTINCT `t0`.`id` ",
            "FROM `posts` AS `t0` INNER JOIN `authors` AS `t1` ON `t1`.`id` = `t0`.`author_id` ",
            "WHERE `t1`.`name` = ?) AS `found`)"
        )
    );
    let moved = update(filter(), vec![change("created_at", Change::Add, 1), change("born", Change::Subtract, 2)]);
    assert_eq!(
        planned(Dialect::Postgres, "Post", moved.clone()).sql(),
        concat!(
            r#"UPDATE "posts" SET "created_at" = "posts"."created_at" + $1, "#,
            r#""born" = ("posts"."born" - CAST($2 AS INTEGER)) WHERE "posts"."id" IN "#,
            r#"(SELECT "t0"."id" FROM "posts" AS "t0" INNER JOIN "authors" AS "t1" "#,
            r#"ON "t1"."id" = "t0"."author_id" WHERE "t1"."name" = $3)"#
        )
    );
    let Work::Execute { statement, .. } =
        planned(Dialect::Postgres, "Post", moved).bind(&Item::Array(items!["x", 1, 2]).encode()).unwrap()
    else {
        panic!()
    };
    assert_eq!(statement.params(), [Param::one(Stored::Duration), Param::one(Stored::Int), Param::one(Stored::Text)]);
}

#[test]
fn what_a_database_cannot_hold_is_refused_with_field_and_database() {
    let bind = |dialect, operation| planned(dialect, "Post", operation).bind(&Item::Array(items!["a\0b"]).encode());
    for operation in [
        update(vec![], vec![change("title", Change::Set, 0)]),
        Operation::Count(vec![is("title", Lookup::Exact, 0)]),
        Operation::Count(vec![is("title", Lookup::Icontains, 0)]),
    ] {
        let fault = bind(Dialect::Postgres, operation.clone()).unwrap_err();
        assert!(
            matches!(&fault, QueryError::Invalid { field, reason } if field == "title" && reason.contains("PostgreSQL")),
            "{fault}"
        );
        assert!(bind(Dialect::MySql, operation.clone()).is_ok());
        assert!(bind(Dialect::Sqlite, operation).is_ok());
    }
}

fn created(dialect: Dialect, models: Vec<Model>) -> Vec<String> {
    ddl::reconcile(dialect, &Catalog::new(models).unwrap(), &covet_db::Introspection::default()).unwrap()
}

#[test]
fn tables_read_as_one_would_write_them() {
    let postgres = created(Dialect::Postgres, blog());
    assert_eq!(
        postgres[..3],
        [
            concat!(
                "CREATE TABLE \"countries\" (\n  \"id\" BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY NOT NULL,\n",
                "  \"name\" VARCHAR(60) COLLATE \"C\" NOT NULL UNIQUE\n)"
            ),
            concat!(
                "CREATE TABLE \"authors\" (\n  \"id\" BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY NOT NULL,\n",
                "  \"name\" VARCHAR(80) COLLATE \"C\" NOT NULL,\n  \"email\" VARCHAR(254) COLLATE \"C\" UNIQUE,\n",
                "  \"country_id\" BIGINT,\n  CONSTRAINT \"fk_authors_country_id\" FOREIGN KEY (\"country_id\") ",
                "REFERENCES \"countries\" (\"id\") ON DELETE SET NULL\n)"
            ),
            "CREATE INDEX \"idx_authors_country_id\" ON \"authors\" (\"country_id\" NULLS FIRST)",
        ]
    );
    let mysql = created(Dialect::MySql, blog());
    assert_eq!(mysql.len(), 3);
    for part in [
        "`id` BIGINT PRIMARY KEY AUTO_INCREMENT NOT NULL",
        "`price` DECIMAL(10, 2) NOT NULL DEFAULT 0.00",
        "`created_at` DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00'",
        "`subtitle` LONGTEXT",
        "CONSTRAINT `posts.born` CHECK (`born` >= '0001-01-01')",
        "INDEX `idx_posts_author_id_created_at_desc` (`author_id`, `created_at` DESC)",
        "CONSTRAINT `fk_posts_author_id` FOREIGN KEY (`author_id`) REFERENCES `authors` (`id`) ON DELETE CASCADE",
        "utf8mb4_nopad_bin",
    ] {
        assert!(mysql[2].contains(part), "{part}\n{}", mysql[2]);
    }
}

#[test]
fn models_that_point_at_each_other_get_their_last_reference_at_the_end() {
    let models = vec![
        model("A", "as", vec![id(), nullable(to("b", "B", OnDelete::SetNull))]),
        model(
            "B",
            "bs",
            vec![id(), nullable(to("a", "A", OnDelete::Cascade)), nullable(to("b", "B", OnDelete::Protect))],
        ),
    ];
    for (dialect, wanted) in [
        (
            Dialect::Postgres,
            r#"ALTER TABLE "bs" ADD CONSTRAINT "fk_bs_a_id" FOREIGN KEY ("a_id") REFERENCES "as" ("id") ON DELETE CASCADE"#,
        ),
        (
            Dialect::MySql,
            "ALTER TABLE `bs` ADD CONSTRAINT `fk_bs_a_id` FOREIGN KEY (`a_id`) REFERENCES `as` (`id`) ON DELETE CASCADE",
        ),
    ] {
        assert_eq!(created(dialect, models.clone()).last().unwrap(), wanted);
    }
}

#[test]
fn keys_too_long_for_mysql_are_refused_before_anything_is_created() {
    let refused = |models: Vec<Model>| {
        let faults =
            ddl::reconcile(Dialect::MySql, &Catalog::new(models).unwrap(), &covet_db::Introspection::default());
        faults.unwrap_err().into_iter().map(|fault| fault.to_string()).collect::<Vec<String>>().join("\n")
    };
    let thing = |fields| vec![model("Thing", "things", [vec![id()], fields].concat())];
    let said = refused(thing(vec![unique(field("a", Kind::Text))]));
    assert!(said.contains("column a") && said.contains("max_length of at most 768"), "{said}");
    let said = refused(thing(vec![unique(field("a", Kind::Url))]));
    assert!(said.contains("8192 bytes"), "{said}");
    let said = refused(thing((0..3).map(|at| field(&format!("f{at}"), Kind::Varchar(8_000))).collect()));
    assert!(said.contains("65535"), "{said}");
    let wide = created(Dialect::MySql, thing(vec![field("a", Kind::Varchar(65_535))]));
    assert!(wide[0].contains("`a` LONGTEXT NOT NULL") && wide[0].contains("CHAR_LENGTH(`a`) <= 65535"), "{wide:?}");
}
