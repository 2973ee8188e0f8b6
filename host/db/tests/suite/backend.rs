//! The databases, and short ways to say work in the language of each.

use std::any::Any;
use std::ops::Deref;
use std::time::{Duration, Instant};

use covet_db::{
    Access, Database, DbError, Group, InsertKey, Kind, MySql, MySqlOptions, Param, PoolOptions, Postgres,
    PostgresOptions, Sqlite, SqliteOptions, Statement, Value, Work,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
    MariaDb,
}

/// What they differ in.
pub struct Traits {
    /// Text may hold U+0000.
    pub nul_in_text: bool,
    /// Floats may be infinite, and zero has a sign.
    pub ieee_floats: bool,
    /// Transactions run side by side.
    pub concurrent_writers: bool,
    /// A violated foreign key is named.
    pub names_foreign_keys: bool,
    /// Primary keys are reported as NOT NULL.
    pub keys_are_not_null: bool,
    /// A serializable transaction locks what it reads, so that others wait instead of failing.
    pub serializable_locks: bool,
    /// Foreign keys may be checked as late as at the commit.
    pub deferred_constraints: bool,
    /// Indexes over some rows, or over expressions.
    pub partial_indexes: bool,
    /// A failed batch of DDL leaves nothing behind.
    pub transactional_ddl: bool,
}

/// A database of the test's own.
pub struct Db {
    pub backend: Backend,
    pub database: Database,
    _keep: Box<dyn Any + Send + Sync>,
}

impl Deref for Db {
    type Target = Database;
    fn deref(&self) -> &Database {
        &self.database
    }
}

/// Limits that a test may want small.
#[derive(Default)]
pub struct Limits {
    pub connections: Option<usize>,
    pub max_result_bytes: Option<usize>,
    pub statements: Option<usize>,
}

impl Backend {
    pub fn traits(self) -> Traits {
        match self {
            Self::Sqlite => Traits {
                nul_in_text: true,
                ieee_floats: true,
                concurrent_writers: false,
                names_foreign_keys: false,
                keys_are_not_null: false,
                serializable_locks: false,
                deferred_constraints: true,
                partial_indexes: true,
                transactional_ddl: true,
            },
            Self::Postgres => Traits {
                nul_in_text: false,
                ieee_floats: true,
                concurrent_writers: true,
                names_foreign_keys: true,
                keys_are_not_null: true,
                serializable_locks: false,
                deferred_constraints: true,
                partial_indexes: true,
                transactional_ddl: true,
            },
            Self::MariaDb => Traits {
                nul_in_text: true,
                ieee_floats: false,
                concurrent_writers: true,
                names_foreign_keys: true,
                keys_are_not_null: true,
                serializable_locks: true,
                deferred_constraints: false,
                partial_indexes: false,
                transactional_ddl: false,
            },
        }
    }

    pub async fn open(self) -> Db {
        self.open_with(Limits::default()).await
    }

    /// An empty database with [`schema`](Self::schema).
    pub async fn open_with(self, limits: Limits) -> Db {
        let (database, keep): (_, Box<dyn Any + Send + Sync>) = match self {
            Self::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                let mut options = SqliteOptions::default();
                options.readers = limits.connections.unwrap_or(options.readers);
                options.max_result_bytes = limits.max_result_bytes.unwrap_or(options.max_result_bytes);
                options.statements = limits.statements.unwrap_or(options.statements);
                let sqlite = Sqlite::open(&folder.path().join("deep/down/test.db"), options).unwrap();
                (Database::Sqlite(sqlite), Box::new(folder))
            }
            Self::Postgres => {
                let test = tokio::task::spawn_blocking(|| {
                    let server = covet_test_servers::Postgres::shared().unwrap();
                    (server.database().unwrap(), server)
                });
                let (test, server) = test.await.unwrap();
                let mut options = PostgresOptions::default();
                options.pool = PoolOptions { min_size: 0, max_size: limits.connections.unwrap_or(8), ..options.pool };
                options.max_result_bytes = limits.max_result_bytes.unwrap_or(options.max_result_bytes);
                options.statement_cache_size = limits.statements.unwrap_or(options.statement_cache_size);
                let postgres = Postgres::open(&test.url(), options).unwrap();
                (Database::Postgres(postgres), Box::new((test, server)))
            }
            Self::MariaDb => {
                let test = tokio::task::spawn_blocking(|| {
                    let server = covet_test_servers::MariaDb::shared().unwrap();
                    (server.database().unwrap(), server)
                });
                let (test, server) = test.await.unwrap();
                let mut options = MySqlOptions::default();
                options.pool = PoolOptions { min_size: 0, max_size: limits.connections.unwrap_or(8), ..options.pool };
                options.max_result_bytes = limits.max_result_bytes.unwrap_or(options.max_result_bytes);
                options.statement_cache_size = limits.statements.unwrap_or(options.statement_cache_size);
                let mysql = MySql::open(&test.url(), options).unwrap();
                (Database::MySql(mysql), Box::new((test, server)))
            }
        };
        database.execute_batch(self.schema()).await.unwrap();
        Db { backend: self, database, _keep: keep }
    }

    pub fn schema(self) -> Vec<String> {
        let id = self.generated_key();
        let deferred = if self.traits().deferred_constraints { "DEFERRABLE INITIALLY DEFERRED" } else { "" };
        let mut schema = vec![
            format!("CREATE TABLE authors (id {id}, name VARCHAR(100) NOT NULL)"),
            format!(
                "CREATE TABLE posts (
                    id {id},
                    slug VARCHAR(50) NOT NULL UNIQUE,
                    title VARCHAR(50) NOT NULL DEFAULT 'none',
                    views INTEGER NOT NULL DEFAULT 0,
                    author_id BIGINT REFERENCES authors(id) ON DELETE CASCADE,
                    CONSTRAINT short_title CHECK (length(title) < 20)
                )"
            ),
            format!("CREATE TABLE late (id BIGINT PRIMARY KEY, author_id BIGINT REFERENCES authors(id) {deferred})"),
        ];
        if self.traits().partial_indexes {
            schema
                .push("CREATE UNIQUE INDEX posts_title_views ON posts(title, views) WHERE title <> 'none'".to_owned());
        }
        schema
    }

    /// `?` as this database writes placeholders.
    pub fn sql(self, sql: &str) -> String {
        match self {
            Self::Sqlite | Self::MariaDb => sql.to_owned(),
            Self::Postgres => {
                let mut parts = sql.split('?');
                let first = parts.next().unwrap().to_owned();
                parts.zip(1..).fold(first, |sql, (part, number)| format!("{sql}${number}{part}"))
            }
        }
    }

    pub fn statement(self, sql: &str, params: &[Param], columns: &[Kind], access: Access) -> Statement {
        let columns = if columns.is_empty() { vec![] } else { vec![Group::flat(columns.to_vec())] };
        Statement::typed(self.sql(sql), params.to_vec(), columns, access)
    }

    pub fn select(self, sql: &str, params: &[Kind], columns: &[Kind]) -> Statement {
        self.statement(sql, &ones(params), columns, Access::Read)
    }

    pub fn query(self, sql: &str, params: Vec<Value>, columns: &[Kind]) -> Work {
        let kinds: Vec<Kind> = params.iter().map(kind_of).collect();
        Work::Query { statement: self.select(sql, &kinds, columns), params, max_rows: 1000 }
    }

    pub fn count(self, sql: &str) -> Work {
        Work::Scalar { statement: self.select(sql, &[], &[Kind::Int]), params: vec![] }
    }

    pub fn execute(self, sql: &str, params: Vec<Value>) -> Work {
        let kinds: Vec<Kind> = params.iter().map(kind_of).collect();
        Work::Execute { statement: self.statement(sql, &ones(&kinds), &[], Access::Write), params }
    }

    /// An insert of rows with these columns, whose key the database makes.
    pub fn insert(self, table: &str, columns: &[(&str, Kind)], conflict: &str) -> Statement {
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let (names, marks) = (names.join(", "), vec!["?"; columns.len()].join(", "));
        match self {
            Self::Sqlite => {
                let sql = format!("INSERT INTO {table} ({names}) VALUES ({marks}) {conflict}");
                self.statement(&sql, &ones(&kinds(columns)), &[], Access::Write)
            }
            Self::Postgres => {
                let sql =
                    format!("INSERT INTO {table} ({names}) SELECT * FROM UNNEST({marks}) {conflict} RETURNING id");
                let params: Vec<Param> = columns.iter().map(|(_, kind)| Param::list(*kind)).collect();
                self.statement(&sql, &params, &[Kind::Int], Access::Write)
            }
            Self::MariaDb => {
                let ignore = if conflict.is_empty() { "" } else { "/*ignore*/ " };
                let sql = format!("INSERT {ignore}INTO {table} ({names}) VALUES /*row*/({marks})");
                self.statement(&sql, &ones(&kinds(columns)), &[], Access::Write)
            }
        }
    }

    pub fn post(self, slug: &str) -> Work {
        self.posts(&[slug])
    }

    pub fn posts(self, slugs: &[&str]) -> Work {
        let rows = slugs.iter().map(|slug| vec![text(slug)]).collect();
        Work::Insert { statement: self.insert("posts", &[("slug", Kind::Text)], ""), rows, key: InsertKey::Generated }
    }

    /// A read that would run for minutes.
    pub fn runaway(self) -> Work {
        self.count(match self {
            Self::Sqlite => "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
            Self::Postgres => "SELECT count(pg_sleep(1)::text) FROM generate_series(1, 600)",
            Self::MariaDb => "SELECT sum(sleep(1)) FROM seq_1_to_600",
        })
    }

    /// A write that would run for minutes.
    pub fn runaway_write(self) -> Work {
        let sql = match self {
            Self::Sqlite => {
                "INSERT INTO authors (name) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
            }
            Self::Postgres => "INSERT INTO authors (name) SELECT 'x' || pg_sleep(1)::text FROM generate_series(1, 600)",
            Self::MariaDb => "INSERT INTO authors (name) SELECT sleep(1) FROM seq_1_to_600",
        };
        self.execute(sql, vec![])
    }

    /// The numbers from 1 to the parameter.
    pub fn series(self) -> Statement {
        match self {
            Self::Sqlite => self.select(
                "WITH RECURSIVE n(i) AS (SELECT 1 WHERE ?1 > 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) SELECT i FROM n",
                &[Kind::Int],
                &[Kind::Int],
            ),
            Self::Postgres => self.select("SELECT generate_series(1, ?)", &[Kind::Int], &[Kind::Int]),
            Self::MariaDb => self.select("SELECT seq FROM seq_1_to_10000000 WHERE seq <= ?", &[Kind::Int], &[Kind::Int]),
        }
    }

    /// `column IN (the list of the placeholder)`.
    pub fn in_list(self, column: &str) -> String {
        match self {
            Self::Sqlite => format!("{column} IN rarray(?)"),
            Self::Postgres => format!("{column} = ANY(?)"),
            Self::MariaDb => format!("({column} IN (/*list*/?)) IS TRUE"),
        }
    }

    /// The definition of a primary key that the database numbers.
    pub fn generated_key(self) -> &'static str {
        match self {
            Self::Sqlite => "INTEGER PRIMARY KEY AUTOINCREMENT",
            Self::Postgres => "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
            Self::MariaDb => "BIGINT AUTO_INCREMENT PRIMARY KEY",
        }
    }

    /// The type of a column that holds values of this kind.
    pub fn column(self, kind: Kind) -> String {
        let postgres = self == Self::Postgres;
        let [sqlite, postgres, mariadb] = match kind {
            Kind::Bool => ["BOOLEAN"; 3],
            Kind::Int => ["BIGINT"; 3],
            Kind::Real => ["DOUBLE PRECISION"; 3],
            Kind::Decimal { digits, scale } if postgres => return format!("NUMERIC({digits}, {scale})"),
            Kind::Decimal { digits, scale } if self == Self::MariaDb => return format!("DECIMAL({digits}, {scale})"),
            Kind::Decimal { digits, .. } => [if digits <= covet_db::INTEGER_DIGITS { "INTEGER" } else { "TEXT" }; 3],
            Kind::Text => ["VARCHAR(9)"; 3],
            Kind::Bytes => ["BLOB", "BYTEA", "LONGBLOB"],
            Kind::Timestamp => ["TIMESTAMPTZ", "TIMESTAMPTZ", "DATETIME(6)"],
            Kind::Date => ["DATE"; 3],
            Kind::Time => ["TIME", "TIME", "TIME(6)"],
            Kind::Duration => ["INTEGER", "INTERVAL", "BIGINT"],
            Kind::Json => ["TEXT", "JSONB", "LONGTEXT"],
            Kind::Uuid => ["BLOB", "UUID", "BINARY(16)"],
        };
        match self {
            Self::Sqlite => sqlite,
            Self::Postgres => postgres,
            Self::MariaDb => mariadb,
        }
        .to_owned()
    }
}

impl Db {
    pub async fn number(&self, sql: &str) -> i64 {
        int(&self.run(self.backend.count(sql), soon()).await.unwrap())
    }

    pub async fn shown(&self, work: Work) -> Result<String, DbError> {
        self.run(work, soon()).await.map(|bytes| show(&bytes))
    }
}

fn ones(kinds: &[Kind]) -> Vec<Param> {
    kinds.iter().map(|kind| Param::one(*kind)).collect()
}

fn kinds(columns: &[(&str, Kind)]) -> Vec<Kind> {
    columns.iter().map(|(_, kind)| *kind).collect()
}

/// What a value is, where a test does not say it.
fn kind_of(value: &Value) -> Kind {
    match value {
        Value::Bool(_) => Kind::Bool,
        Value::Int(_) => Kind::Int,
        Value::Real(_) => Kind::Real,
        Value::Bytes(_) => Kind::Bytes,
        Value::Decimal { digits, scale, .. } => Kind::Decimal { digits: *digits, scale: *scale },
        Value::Uuid(_) => Kind::Uuid,
        Value::Null | Value::Text(_) | Value::List(_) => Kind::Text,
    }
}

pub fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

pub fn after(millis: u64) -> Instant {
    Instant::now() + Duration::from_millis(millis)
}

pub fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

pub fn int(bytes: &[u8]) -> i64 {
    let mut cbor = minicbor::Decoder::new(bytes);
    let value = cbor.i64().unwrap();
    assert_eq!(cbor.position(), bytes.len(), "more than one item");
    value
}

/// A CBOR item as diagnostic notation (RFC 8949 §8), which reads well in assertions.
pub fn show(bytes: &[u8]) -> String {
    minicbor::display(bytes).to_string()
}
