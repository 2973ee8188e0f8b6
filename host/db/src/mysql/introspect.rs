//! What tables a database has, by `information_schema`.

use std::collections::BTreeMap;

use super::connection::Connection;
use crate::{Column, DbError, ForeignKey, Index, Introspection, Product, Table};

const COLUMNS: &str = "\
    SELECT c.table_name, c.column_name, c.column_type, c.is_nullable, c.column_key, c.column_default, c.extra \
    FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name) \
    WHERE c.table_schema = DATABASE() AND t.table_type = 'BASE TABLE' ORDER BY c.table_name, c.ordinal_position";

const INDEXES: &str = "\
    SELECT table_name, index_name, non_unique, COALESCE(column_name, ''), collation, sub_part \
    FROM information_schema.statistics \
    WHERE table_schema = DATABASE() AND index_name <> 'PRIMARY' ORDER BY table_name, index_name, seq_in_index";

const FOREIGN_KEYS: &str = "\
    SELECT k.table_name, k.constraint_name, k.column_name, k.referenced_table_name, k.referenced_column_name, r.delete_rule \
    FROM information_schema.key_column_usage k JOIN information_schema.referential_constraints r \
      ON r.constraint_schema = k.constraint_schema AND r.constraint_name = k.constraint_name AND r.table_name = k.table_name \
    JOIN information_schema.columns c \
      ON c.table_schema = k.table_schema AND c.table_name = k.table_name AND c.column_name = k.column_name \
    WHERE k.table_schema = DATABASE() AND k.referenced_table_name IS NOT NULL \
    ORDER BY k.table_name, MIN(c.ordinal_position) OVER (PARTITION BY k.table_name, k.constraint_name), k.constraint_name, \
      k.ordinal_position";

/// MariaDB's JSON is LONGTEXT with this check, which it adds itself.
const JSON_CHECKS: &str = "\
    SELECT table_name, constraint_name FROM information_schema.check_constraints \
    WHERE constraint_schema = DATABASE() AND level = 'Column' AND check_clause LIKE 'json_valid(%)'";

pub(super) async fn introspect(connection: &mut Connection) -> Result<Introspection, DbError> {
    let maria = connection.about().capabilities.product == Product::MariaDb;
    let json = if maria { connection.texts::<2>(JSON_CHECKS, &[]).await? } else { Vec::new() };
    let json = |table: &str, column: &str| {
        json.iter().any(|[of, name]| of.as_deref() == Some(table) && name.as_deref() == Some(column))
    };
    let mut tables = BTreeMap::<String, Table>::new();
    for [table, name, column_type, nullable, key, default, extra] in connection.texts(COLUMNS, &[]).await? {
        let (table, name) = (table.unwrap_or_default(), name.unwrap_or_default());
        let is_json = maria && json(&table, &name);
        let entry = tables.entry(table.clone()).or_insert_with(|| Table { name: table, ..Table::default() });
        entry.columns.push(Column {
            decl_type: if is_json { "JSON".to_owned() } else { declared(&column_type.unwrap_or_default()) },
            not_null: nullable.as_deref() == Some("NO"),
            pk: key.as_deref() == Some("PRI"),
            default: default_sql(default, extra.as_deref().unwrap_or_default(), maria),
            unique: false,
            name,
        });
    }
    for [table, name, non_unique, column, collation, prefix] in connection.texts(INDEXES, &[]).await? {
        let Some(table) = tables.get_mut(&table.unwrap_or_default()) else { continue };
        let name = name.unwrap_or_default();
        if table.indexes.last().is_none_or(|index| index.name != name) {
            let unique = non_unique.as_deref() == Some("0");
            table.indexes.push(Index { name, unique, ..Index::default() });
        }
        if let Some(index) = table.indexes.last_mut() {
            index.columns.push(column.unwrap_or_default());
            index.descending.push(collation.as_deref() == Some("D"));
            // An index over the heads of texts does not tell whole values apart.
            index.partial |= prefix.is_some();
        }
    }
    let mut last = (String::new(), String::new());
    for [table, constraint, column, target, target_column, on_delete] in connection.texts(FOREIGN_KEYS, &[]).await? {
        let key = (table.unwrap_or_default(), constraint.unwrap_or_default());
        let Some(found) = tables.get_mut(&key.0) else { continue };
        if last != key {
            let (table, on_delete) = (target.unwrap_or_default(), on_delete.unwrap_or_default());
            found.foreign_keys.push(ForeignKey { table, on_delete, ..ForeignKey::default() });
            last = key;
        }
        if let Some(foreign) = found.foreign_keys.last_mut() {
            foreign.columns.extend(column);
            foreign.references.extend(target_column);
        }
    }
    let mut tables: Vec<Table> = tables.into_values().collect();
    tables.iter_mut().for_each(mark_unique);
    Ok(Introspection { tables })
}

fn mark_unique(table: &mut Table) {
    let keys = table.columns.iter().filter(|column| column.pk).count();
    for column in &mut table.columns {
        let only = |index: &Index| matches!(index.columns.as_slice(), [name] if *name == column.name);
        column.unique =
            (column.pk && keys == 1) || table.indexes.iter().any(|index| index.unique && !index.partial && only(index));
    }
}

/// `bigint(20)` → `BIGINT`, `tinyint(1)` → `BOOLEAN`, `varchar(200)` → `VARCHAR(200)`: what a width of digits to show says, is
/// nothing about values.
fn declared(column_type: &str) -> String {
    let upper = column_type.to_ascii_uppercase();
    if upper == "TINYINT(1)" {
        return "BOOLEAN".to_owned();
    }
    let Some((name, rest)) = upper.split_once('(') else { return upper };
    let Some((_, suffix)) = rest.split_once(')') else { return upper };
    match name {
        "TINYINT" | "SMALLINT" | "MEDIUMINT" | "INT" | "BIGINT" => format!("{name}{suffix}"),
        _ => upper,
    }
}

/// The default as SQL text. MariaDB tells it so, and `NULL` where there is none; MySQL tells text without its quotes.
fn default_sql(default: Option<String>, extra: &str, maria: bool) -> Option<String> {
    let default = default?;
    if maria {
        return (default != "NULL").then_some(default);
    }
    let expression = extra.contains("DEFAULT_GENERATED") || default.parse::<f64>().is_ok();
    Some(if expression { default } else { format!("'{}'", default.replace('\'', "''")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_lose_what_says_nothing() {
        for (told, wanted) in [
            ("bigint(20)", "BIGINT"),
            ("int(10) unsigned", "INT UNSIGNED"),
            ("tinyint(1)", "BOOLEAN"),
            ("varchar(200)", "VARCHAR(200)"),
            ("decimal(10,2)", "DECIMAL(10,2)"),
            ("datetime(6)", "DATETIME(6)"),
            ("longtext", "LONGTEXT"),
        ] {
            assert_eq!(declared(told), wanted);
        }
    }

    #[test]
    fn defaults_are_sql() {
        let default = |text: &str, extra, maria| default_sql(Some(text.to_owned()), extra, maria);
        assert_eq!(default("'none'", "", true).as_deref(), Some("'none'"));
        assert_eq!(default("NULL", "", true), None);
        assert_eq!(default("it's", "", false).as_deref(), Some("'it''s'"));
        assert_eq!(default("0", "", false).as_deref(), Some("0"));
        assert_eq!(default("now()", "DEFAULT_GENERATED", false).as_deref(), Some("now()"));
    }
}
