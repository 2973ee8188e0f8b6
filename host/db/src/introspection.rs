//! What tables a database has, to be compared with the models.

/// All tables of a database, in the order of their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Introspection {
    /// Tables; views and the database's own tables are left out.
    pub tables: Vec<Table>,
}

impl Introspection {
    /// The table of this name. SQL names of tables are compared without ASCII case, as SQLite does.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name.eq_ignore_ascii_case(name))
    }
}

/// One table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// In the order of the table.
    pub columns: Vec<Column>,
    /// All but those that the primary key brings along.
    pub indexes: Vec<Index>,
    /// In the order of the table.
    pub foreign_keys: Vec<ForeignKey>,
}

impl Table {
    /// The column of this name, without ASCII case.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }
}

/// One column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// The type as declared, `VARCHAR(200)`; may be empty on SQLite.
    pub decl_type: String,
    /// Declared `NOT NULL`.
    pub not_null: bool,
    /// Part of the primary key.
    pub pk: bool,
    /// The default as SQL text.
    pub default: Option<String>,
    /// Unique by itself: the only column of the primary key or of a unique index without a condition.
    pub unique: bool,
}

/// One index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Index {
    /// Its name; made up by the database for a UNIQUE in the table's definition.
    pub name: String,
    /// Names of its columns; an expression is the empty string.
    pub columns: Vec<String>,
    /// For each of `columns`, whether it is descending.
    pub descending: Vec<bool>,
    /// Refuses duplicates.
    pub unique: bool,
    /// Covers only the rows that meet a condition.
    pub partial: bool,
}

/// One foreign key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ForeignKey {
    /// Its columns.
    pub columns: Vec<String>,
    /// The table pointed to.
    pub table: String,
    /// The columns pointed to; empty means that table's primary key.
    pub references: Vec<String>,
    /// `CASCADE`, `SET NULL`, `NO ACTION`, …
    pub on_delete: String,
}
