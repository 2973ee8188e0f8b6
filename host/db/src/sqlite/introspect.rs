//! What tables a SQLite file has, by its pragma functions (<https://www.sqlite.org/pragma.html#pragfunc>).

use std::collections::BTreeMap;

use rusqlite::Row;

use super::connection::Connection;
use super::errors::from_sqlite;
use crate::{Column, DbError, ForeignKey, Index, Introspection, Table};

pub(super) fn introspect(connection: &Connection) -> Result<Introspection, DbError> {
    let sqlite = connection.sqlite();
    // One read transaction: the answer is of one moment.
    let transaction = sqlite.unchecked_transaction().map_err(from_sqlite)?;
    let names = rows(
        &transaction,
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
        None,
        |row| row.get::<_, String>(0),
    )?;
    let tables = names.into_iter().map(|name| table(&transaction, name)).collect::<Result<_, _>>()?;
    Ok(Introspection { tables })
}

fn table(sqlite: &rusqlite::Connection, name: String) -> Result<Table, DbError> {
    let mut columns = rows(
        sqlite,
        "SELECT name, type, \"notnull\", pk, dflt_value FROM pragma_table_xinfo(?1) WHERE hidden <> 1 ORDER BY cid",
        Some(&name),
        |row| {
            Ok(Column {
                name: row.get(0)?,
                decl_type: row.get(1)?,
                not_null: row.get(2)?,
                pk: row.get::<_, i64>(3)? > 0,
                default: row.get(4)?,
                unique: false,
            })
        },
    )?;
    let mut indexes = Vec::new();
    let listed = rows(
        sqlite,
        "SELECT name, \"unique\", partial, origin FROM pragma_index_list(?1) ORDER BY name",
        Some(&name),
        |row| Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?, row.get::<_, String>(3)?)),
    )?;
    for (index, unique, partial, origin) in listed {
        let parts = rows(
            sqlite,
            "SELECT coalesce(name, ''), \"desc\" FROM pragma_index_xinfo(?1) WHERE key = 1 ORDER BY seqno",
            Some(&index),
            |row| Ok((row.get::<_, String>(0)?, row.get::<_, bool>(1)?)),
        )?;
        // Not the one that the primary key brings along.
        if origin != "pk" {
            let (columns, descending) = parts.into_iter().unzip();
            indexes.push(Index { name: index, columns, descending, unique, partial });
        }
    }
    mark_unique(&mut columns, &indexes);
    let foreign_keys = foreign_keys(sqlite, &name)?;
    Ok(Table { name, columns, indexes, foreign_keys })
}

fn mark_unique(columns: &mut [Column], indexes: &[Index]) {
    let keys = columns.iter().filter(|column| column.pk).count();
    for column in columns {
        let only = |index: &Index| matches!(index.columns.as_slice(), [name] if *name == column.name);
        column.unique =
            (column.pk && keys == 1) || indexes.iter().any(|index| index.unique && !index.partial && only(index));
    }
}

fn foreign_keys(sqlite: &rusqlite::Connection, table: &str) -> Result<Vec<ForeignKey>, DbError> {
    let parts = rows(
        sqlite,
        "SELECT id, \"table\", \"from\", \"to\", on_delete FROM pragma_foreign_key_list(?1) ORDER BY id, seq",
        Some(table),
        |row| {
            let part = (row.get::<_, String>(1)?, row.get::<_, String>(2)?, row.get::<_, Option<String>>(3)?);
            Ok((row.get::<_, i64>(0)?, part, row.get::<_, String>(4)?))
        },
    )?;
    let mut keys = BTreeMap::<i64, ForeignKey>::new();
    for (id, (target, from, to), on_delete) in parts {
        let key = keys.entry(id).or_insert_with(|| ForeignKey { table: target, on_delete, ..ForeignKey::default() });
        key.columns.push(from);
        key.references.extend(to);
    }
    // SQLite numbers them from the last to the first.
    Ok(keys.into_values().rev().collect())
}

fn rows<T>(
    sqlite: &rusqlite::Connection,
    sql: &str,
    name: Option<&str>,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, DbError> {
    let mut statement = sqlite.prepare_cached(sql).map_err(from_sqlite)?;
    let rows = match name {
        Some(name) => statement.query_map([name], read).map_err(from_sqlite)?.collect(),
        None => statement.query_map([], read).map_err(from_sqlite)?.collect::<rusqlite::Result<_>>(),
    };
    rows.map_err(from_sqlite)
}
