//! What tables a schema has, by PostgreSQL's catalog.

use sqlx_core::decode::Decode;
use sqlx_core::row::Row;
use sqlx_core::types::Type;
use sqlx_postgres::{PgRow, Postgres};

use super::connection::Connection;
use super::errors::Failure;
use crate::remote::Remote;
use crate::{Column, DbError, ForeignKey, Index, Introspection, Isolation, Table};

const COLUMNS: &str = "
    SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull,
           coalesce(a.attnum = ANY (p.conkey), false), coalesce(cardinality(p.conkey), 0),
           CASE WHEN a.attidentity = '' AND a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    LEFT JOIN pg_constraint p ON p.conrelid = c.oid AND p.contype = 'p'
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
    ORDER BY c.relname COLLATE \"C\", a.attnum";

/// One row a column of an index; those of primary keys and those half built are left out.
const INDEXES: &str = "
    SELECT c.relname::text, i.relname::text, x.indisunique, x.indpred IS NOT NULL,
           coalesce(a.attname::text, ''), (x.indoption[k.n - 1] & 1) = 1
    FROM pg_index x
    JOIN pg_class c ON c.oid = x.indrelid AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    JOIN pg_class i ON i.oid = x.indexrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
    CROSS JOIN LATERAL generate_series(1, x.indnkeyatts) AS k(n)
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = x.indkey[k.n - 1] AND a.attnum > 0
    WHERE NOT x.indisprimary AND x.indisvalid
    ORDER BY c.relname COLLATE \"C\", i.relname COLLATE \"C\", k.n";

/// One row a column of a foreign key.
const FOREIGN_KEYS: &str = "
    SELECT c.relname::text, f.oid::bigint, a.attname::text, t.relname::text, b.attname::text,
           CASE f.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT'
                              WHEN 'r' THEN 'RESTRICT' ELSE 'NO ACTION' END
    FROM pg_constraint f
    JOIN pg_class c ON c.oid = f.conrelid AND NOT c.relispartition
    JOIN pg_class t ON t.oid = f.confrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
    CROSS JOIN LATERAL generate_series(1, cardinality(f.conkey)) AS k(n)
    JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = f.conkey[k.n]
    JOIN pg_attribute b ON b.attrelid = f.confrelid AND b.attnum = f.confkey[k.n]
    WHERE f.contype = 'f' AND f.conparentid = 0
    ORDER BY c.relname COLLATE \"C\", f.conkey[1], f.oid, k.n";

pub(super) async fn introspect(connection: &mut Connection) -> Result<Introspection, DbError> {
    // One snapshot: the answer is of one moment.
    connection.begin(Some(Isolation::RepeatableRead), "").await?;
    let read = tables(connection).await;
    connection.rollback().await?;
    read
}

async fn tables(connection: &mut Connection) -> Result<Introspection, DbError> {
    let mut tables: Vec<Table> = Vec::new();
    // Columns that are the whole primary key of their table.
    let mut keys = Vec::new();
    for row in connection.fetch(COLUMNS).await? {
        let name: String = get(&row, 0)?;
        if tables.last().is_none_or(|table| table.name != name) {
            tables.push(Table { name, ..Table::default() });
        }
        let pk = get(&row, 4)?;
        let column = Column {
            name: get(&row, 1)?,
            decl_type: declared(get(&row, 2)?),
            not_null: get(&row, 3)?,
            pk,
            default: get::<Option<String>>(&row, 6)?.map(literal),
            unique: false,
        };
        if pk && get::<i32>(&row, 5)? == 1 {
            keys.push((tables.len(), column.name.clone()));
        }
        if let Some(table) = tables.last_mut() {
            table.columns.push(column);
        }
    }
    for row in connection.fetch(INDEXES).await? {
        let Some(table) = find(&mut tables, &get::<String>(&row, 0)?) else { continue };
        let name: String = get(&row, 1)?;
        if table.indexes.last().is_none_or(|index| index.name != name) {
            table.indexes.push(Index { name, unique: get(&row, 2)?, partial: get(&row, 3)?, ..Index::default() });
        }
        if let Some(index) = table.indexes.last_mut() {
            index.columns.push(get(&row, 4)?);
            index.descending.push(get(&row, 5)?);
        }
    }
    let mut last = None;
    for row in connection.fetch(FOREIGN_KEYS).await? {
        let Some(table) = find(&mut tables, &get::<String>(&row, 0)?) else { continue };
        let number: i64 = get(&row, 1)?;
        if last.replace(number) != Some(number) {
            let target = ForeignKey { table: get(&row, 3)?, on_delete: get(&row, 5)?, ..ForeignKey::default() };
            table.foreign_keys.push(target);
        }
        if let Some(key) = table.foreign_keys.last_mut() {
            key.columns.push(get(&row, 2)?);
            key.references.push(get(&row, 4)?);
        }
    }
    for (number, table) in (1..).zip(&mut tables) {
        let indexes = &table.indexes;
        for column in &mut table.columns {
            let only = |index: &Index| matches!(index.columns.as_slice(), [name] if *name == column.name);
            column.unique = indexes.iter().any(|index| index.unique && !index.partial && only(index))
                || keys.iter().any(|(at, name)| *at == number && *name == column.name);
        }
    }
    Ok(Introspection { tables })
}

fn find<'t>(tables: &'t mut [Table], name: &str) -> Option<&'t mut Table> {
    tables.iter_mut().find(|table| table.name == name)
}

fn get<'r, T: Decode<'r, Postgres> + Type<Postgres>>(row: &'r PgRow, at: usize) -> Result<T, DbError> {
    row.try_get(at).map_err(|error| Failure::from_sqlx(error, "introspection").error)
}

/// A type as DDL writes it: `VARCHAR(200)`, not `character varying(200)`.
fn declared(type_name: String) -> String {
    const LONG: [(&str, &str); 8] = [
        ("character varying", "VARCHAR"),
        ("character", "CHAR"),
        ("timestamp with time zone", "TIMESTAMPTZ"),
        ("timestamp without time zone", "TIMESTAMP"),
        ("time without time zone", "TIME"),
        ("time with time zone", "TIMETZ"),
        ("double precision", "DOUBLE PRECISION"),
        ("bit varying", "VARBIT"),
    ];
    for (long, short) in LONG {
        if let Some(rest) = type_name.strip_prefix(long)
            && !rest.starts_with(|next: char| next.is_alphanumeric())
        {
            return format!("{short}{rest}");
        }
    }
    // `timestamp(3) with time zone`: the precision stands inside.
    type_name.to_uppercase()
}

/// A default without the cast that PostgreSQL writes behind a literal: `'none'::character varying` is `'none'`, and
/// `'-1'::integer` is `-1`.
fn literal(default: String) -> String {
    const NUMBERS: [&str; 6] = ["integer", "bigint", "smallint", "numeric", "real", "double precision"];
    let Some((quoted, cast)) = default.rsplit_once("::") else { return default };
    let is_literal = quoted.len() >= 2
        && quoted.starts_with('\'')
        && quoted.ends_with('\'')
        && !quoted[1..quoted.len() - 1].replace("''", "").contains('\'');
    if !is_literal {
        return default;
    }
    let name = cast.split('(').next().unwrap_or(cast).trim();
    if NUMBERS.contains(&name) { quoted.trim_matches('\'').to_owned() } else { quoted.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_named_as_ddl_names_them() {
        for (long, short) in [
            ("character varying(200)", "VARCHAR(200)"),
            ("timestamp with time zone", "TIMESTAMPTZ"),
            ("numeric(12,2)", "NUMERIC(12,2)"),
            ("double precision", "DOUBLE PRECISION"),
            ("character(3)", "CHAR(3)"),
            ("jsonb", "JSONB"),
            ("bigint", "BIGINT"),
        ] {
            assert_eq!(declared(long.to_owned()), short);
        }
    }

    #[test]
    fn defaults_lose_their_cast() {
        for (with, without) in [
            ("'none'::character varying", "'none'"),
            ("'it''s'::text", "'it''s'"),
            ("'-1'::integer", "-1"),
            ("'0.50'::numeric(5,2)", "0.50"),
            ("0", "0"),
            ("now()", "now()"),
            ("nextval('a_id_seq'::regclass)", "nextval('a_id_seq'::regclass)"),
            ("('a'::text || 'b'::text)", "('a'::text || 'b'::text)"),
        ] {
            assert_eq!(literal(with.to_owned()), without);
        }
    }
}
