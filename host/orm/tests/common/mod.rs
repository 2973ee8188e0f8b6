//! A small blog on a real database, and words to ask it with.
#![allow(dead_code, reason = "each test file uses its share")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use covet_db::{Database, MySql, MySqlOptions, PoolOptions, Postgres, PostgresOptions, Sqlite, SqliteOptions, Work};
use covet_orm::schema::{DecimalSpec, Field, Index, IndexColumn, Kind, Model, OnDelete, Relation};
use covet_orm::shape::{
    Arithmetic, Assignment, Comparison, FieldPath, Insert, Lookup, Node, Operand, Operation, Order, Parameter, Select,
    Shape, Update,
};
use covet_orm::{Call, Catalog, Dialect, Plan, QueryError, ddl, plan};
use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

/// A CBOR item.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    Array(Vec<Item>),
}

impl From<i64> for Item {
    fn from(value: i64) -> Item {
        Item::Int(value)
    }
}
impl From<bool> for Item {
    fn from(value: bool) -> Item {
        Item::Bool(value)
    }
}
impl From<f64> for Item {
    fn from(value: f64) -> Item {
        Item::Float(value)
    }
}
impl From<&str> for Item {
    fn from(value: &str) -> Item {
        Item::Text(value.to_owned())
    }
}
impl<const N: usize> From<[Item; N]> for Item {
    fn from(value: [Item; N]) -> Item {
        Item::Array(value.to_vec())
    }
}
impl From<Vec<Item>> for Item {
    fn from(value: Vec<Item>) -> Item {
        Item::Array(value)
    }
}

/// `items![1, "a", Item::Null]`
#[macro_export]
macro_rules! items {
    ($($one:expr),* $(,)?) => { vec![$($crate::common::Item::from($one)),*] };
}

impl Item {
    pub fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::new(Vec::new());
        self.write(&mut encoder);
        encoder.into_writer()
    }

    fn write(&self, to: &mut Encoder<Vec<u8>>) {
        match self {
            Item::Null => to.null(),
            Item::Bool(value) => to.bool(*value),
            Item::Int(value) => to.i64(*value),
            Item::Float(value) => to.f64(*value),
            Item::Text(value) => to.str(value),
            Item::Bytes(value) => to.bytes(value),
            Item::Array(items) => {
                to.array(items.len() as u64).unwrap();
                items.iter().for_each(|item| item.write(to));
                return;
            }
        }
        .unwrap();
    }

    pub fn decode(bytes: &[u8]) -> Item {
        let mut decoder = Decoder::new(bytes);
        let item = Item::read(&mut decoder);
        assert_eq!(decoder.position(), bytes.len(), "bytes are left");
        item
    }

    fn read(from: &mut Decoder<'_>) -> Item {
        match from.datatype().unwrap() {
            Type::Null => {
                from.null().unwrap();
                Item::Null
            }
            Type::Bool => Item::Bool(from.bool().unwrap()),
            Type::F64 => Item::Float(from.f64().unwrap()),
            Type::F32 => Item::Float(f64::from(from.f32().unwrap())),
            Type::String => Item::Text(from.str().unwrap().to_owned()),
            Type::Bytes => Item::Bytes(from.bytes().unwrap().to_vec()),
            Type::Array => {
                let count = from.array().unwrap().unwrap();
                Item::Array((0..count).map(|_| Item::read(from)).collect())
            }
            Type::ArrayIndef => {
                from.array().unwrap();
                let mut items = Vec::new();
                while from.datatype().unwrap() != Type::Break {
                    items.push(Item::read(from));
                }
                from.set_position(from.position() + 1);
                Item::Array(items)
            }
            _ => Item::Int(from.i64().unwrap()),
        }
    }

    pub fn array(self) -> Vec<Item> {
        match self {
            Item::Array(items) => items,
            other => panic!("no array: {other:?}"),
        }
    }

    pub fn int(&self) -> i64 {
        match self {
            Item::Int(value) => *value,
            other => panic!("no int: {other:?}"),
        }
    }
}

pub fn field(name: &str, kind: Kind) -> Field {
    Field {
        name: name.to_owned(),
        column: name.to_owned(),
        kind,
        nullable: false,
        unique: false,
        indexed: false,
        primary_key: false,
        auto_increment: false,
        references: None,
        default: None,
    }
}

pub fn id() -> Field {
    Field { primary_key: true, auto_increment: true, ..field("id", Kind::Int64) }
}

pub fn nullable(field: Field) -> Field {
    Field { nullable: true, ..field }
}

pub fn unique(field: Field) -> Field {
    Field { unique: true, ..field }
}

pub fn defaulted(field: Field, default: impl Into<Item>) -> Field {
    Field { default: Some(default.into().encode()), ..field }
}

pub fn to(name: &str, model: &str, on_delete: OnDelete) -> Field {
    Field {
        column: format!("{name}_id"),
        references: Some(Relation { model: model.to_owned(), on_delete, value: None }),
        ..field(name, Kind::Int64)
    }
}

pub fn by(field: &str) -> IndexColumn {
    let descending = field.starts_with('-');
    IndexColumn { field: field.trim_start_matches('-').to_owned(), descending }
}

pub fn index(fields: &[&str]) -> Index {
    Index {
        name: String::new(),
        columns: fields.iter().map(|field| by(field)).collect(),
        unique: false,
        folded: false,
        condition: None,
    }
}

pub fn model(name: &str, table: &str, fields: Vec<Field>) -> Model {
    Model {
        name: name.to_owned(),
        table: table.to_owned(),
        fields,
        indexes: vec![],
        checks: vec![],
        ordering: vec![],
        managed: true,
        max_rows: None,
    }
}

/// Country ← Author ← Post (author, and editor that may be null).
pub fn blog() -> Vec<Model> {
    let country = model("Country", "countries", vec![id(), unique(field("name", Kind::Varchar(60)))]);
    let author = Model {
        ordering: vec![by("name")],
        ..model(
            "Author",
            "authors",
            vec![
                id(),
                field("name", Kind::Varchar(80)),
                nullable(unique(field("email", Kind::Email))),
                nullable(to("country", "Country", OnDelete::SetNull)),
            ],
        )
    };
    let post = Model {
        indexes: vec![index(&["author", "-created_at"]), Index { unique: true, ..index(&["author", "title"]) }],
        ordering: vec![by("-views")],
        ..model(
            "Post",
            "posts",
            vec![
                id(),
                field("title", Kind::Varchar(200)),
                unique(field("slug", Kind::Varchar(80))),
                to("author", "Author", OnDelete::Cascade),
                nullable(to("editor", "Author", OnDelete::Protect)),
                defaulted(field("views", Kind::Int64), 0),
                defaulted(field("likes", Kind::Int16), 0),
                nullable(field("rating", Kind::Float64)),
                defaulted(field("price", Kind::Decimal(DecimalSpec { digits: 10, scale: 2 })), "0.00"),
                nullable(field("wide", Kind::Decimal(DecimalSpec { digits: 30, scale: 6 }))),
                defaulted(field("published", Kind::Boolean), false),
                defaulted(Field { indexed: true, ..field("created_at", Kind::Datetime) }, 0),
                nullable(field("born", Kind::Date)),
                nullable(field("at", Kind::Time)),
                nullable(field("subtitle", Kind::Text)),
            ],
        )
    };
    vec![post, author, country]
}

/// The databases that tests run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
    MariaDb,
}

/// What a database does otherwise than the others, where a test must know.
#[derive(Clone, Copy, Debug)]
pub struct Capabilities {
    pub dialect: Dialect,
    /// Text may contain NUL.
    pub nul_in_text: bool,
    /// A sum that outgrows its column is told by the column's name.
    pub names_overflow: bool,
    /// A key that the caller chose moves the numbering on.
    pub chosen_keys_count: bool,
    /// Indexes over some rows only, or over an expression.
    pub special_indexes: bool,
}

impl Engine {
    pub const ALL: [Engine; 3] = [Engine::Sqlite, Engine::Postgres, Engine::MariaDb];

    /// The engine of the suite that this is compiled into: `tests/postgres.rs` and `tests/mariadb.rs` have the servers, all
    /// else is about SQLite.
    pub fn here() -> Engine {
        match env!("CARGO_CRATE_NAME") {
            "postgres" => Engine::Postgres,
            "mariadb" => Engine::MariaDb,
            _ => Engine::Sqlite,
        }
    }

    pub fn capabilities(self) -> Capabilities {
        match self {
            Engine::Sqlite => Capabilities {
                dialect: Dialect::Sqlite,
                nul_in_text: true,
                names_overflow: true,
                chosen_keys_count: true,
                special_indexes: true,
            },
            Engine::Postgres => Capabilities {
                dialect: Dialect::Postgres,
                nul_in_text: false,
                names_overflow: false,
                chosen_keys_count: false,
                special_indexes: true,
            },
            Engine::MariaDb => Capabilities {
                dialect: Dialect::MySql,
                nul_in_text: true,
                names_overflow: false,
                chosen_keys_count: true,
                special_indexes: false,
            },
        }
    }

    pub fn dialect(self) -> Dialect {
        self.capabilities().dialect
    }
}

/// What a test's database lies in, a folder or a place on a server; gone with it.
type Home = Box<dyn std::any::Any + Send + Sync>;

async fn open(engine: Engine) -> (Database, Home) {
    match engine {
        Engine::Sqlite => {
            let folder = tempfile::tempdir().unwrap();
            let sqlite = Sqlite::open(&folder.path().join("test.db"), SqliteOptions::default()).unwrap();
            (Database::Sqlite(sqlite), Box::new(folder))
        }
        Engine::Postgres => {
            let home = of_server(|| covet_test_servers::Postgres::shared()?.database()).await;
            let options = PostgresOptions { pool: pool(), ..PostgresOptions::default() };
            (Database::Postgres(Postgres::open(&home.url(), options).unwrap()), Box::new(home))
        }
        Engine::MariaDb => {
            let home = of_server(|| covet_test_servers::MariaDb::shared()?.database()).await;
            let options = MySqlOptions { pool: pool(), ..MySqlOptions::default() };
            (Database::MySql(MySql::open(&home.url(), options).unwrap()), Box::new(home))
        }
    }
}

/// Many tests share a server.
fn pool() -> PoolOptions {
    PoolOptions { min_size: 0, max_size: 4, ..PoolOptions::default() }
}

async fn of_server(
    make: impl FnOnce() -> Result<covet_test_servers::TestDatabase, covet_test_servers::Error> + Send + 'static,
) -> covet_test_servers::TestDatabase {
    tokio::task::spawn_blocking(make).await.unwrap().unwrap()
}

pub struct Blog {
    pub database: Database,
    pub catalog: Arc<Catalog>,
    pub engine: Engine,
    _home: Home,
}

pub fn deadline() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

impl Blog {
    pub async fn of(models: Vec<Model>) -> Blog {
        Blog::on(Engine::here(), models).await
    }

    pub async fn on(engine: Engine, models: Vec<Model>) -> Blog {
        let (database, home) = open(engine).await;
        let catalog = Arc::new(Catalog::new(models).unwrap());
        let ddl = ddl::reconcile(engine.dialect(), &catalog, &database.introspect().await.unwrap()).unwrap();
        database.execute_batch(ddl).await.unwrap();
        Blog { database, catalog, engine, _home: home }
    }

    pub fn capabilities(&self) -> Capabilities {
        self.engine.capabilities()
    }

    pub async fn empty() -> Blog {
        Blog::of(blog()).await
    }

    pub fn plan(&self, model: &str, operation: Operation) -> Plan {
        plan(&self.catalog, self.engine.dialect(), &Shape::of(model, operation)).unwrap()
    }

    pub async fn run(&self, model: &str, operation: Operation, params: Vec<Item>) -> Item {
        self.try_run(model, operation, params).await.unwrap()
    }

    pub async fn try_run(&self, model: &str, operation: Operation, params: Vec<Item>) -> Result<Item, QueryError> {
        let plan = plan(&self.catalog, self.engine.dialect(), &Shape::of(model, operation))?;
        match Call::of(&Arc::new(plan), &Item::Array(params).encode())? {
            Call::Work(work) => self.answer(work).await,
            Call::Program(program) => Ok(Item::decode(&program.run(&self.database, deadline()).await?.item)),
        }
    }

    /// Asks one piece of work of a plan that is there already.
    pub async fn ask(&self, plan: &Plan, params: &[Item]) -> Result<Item, QueryError> {
        self.answer(plan.bind(&Item::Array(params.to_vec()).encode())?).await
    }

    async fn answer(&self, work: Work) -> Result<Item, QueryError> {
        if let Some(answer) = self.database.try_now(&work, deadline()) {
            return Ok(Item::decode(&answer?));
        }
        Ok(Item::decode(&self.database.run(work, deadline()).await?))
    }

    pub async fn insert(&self, model: &str, fields: &[&str], values: Vec<Item>) -> i64 {
        let keys = self.run(model, insert(fields), values).await.array();
        keys[0].int()
    }

    /// Values of one field of all posts that a filter finds, by id.
    pub async fn find(&self, filter: Vec<Node>, params: Vec<Item>) -> Vec<i64> {
        self.try_find(filter, params).await.unwrap()
    }

    pub async fn try_find(&self, filter: Vec<Node>, params: Vec<Item>) -> Result<Vec<i64>, QueryError> {
        let select = Select { filter, order: vec![order("id")], fields: values(&["id"]), ..Select::default() };
        let rows = self.try_run("Post", Operation::Select(select), params).await?;
        Ok(rows.array().into_iter().map(|row| row.array()[0].int()).collect())
    }
}

pub fn path(path: &str) -> FieldPath {
    let mut steps: Vec<String> = path.split('.').map(str::to_owned).collect();
    let field = steps.pop().unwrap();
    FieldPath { via: steps, field }
}

pub fn order(field: &str) -> Order {
    Order::of(path(field.trim_start_matches('-')), field.starts_with('-'))
}

pub fn is(field: &str, lookup: Lookup, param: u32) -> Node {
    Node::Compare(Comparison { left: path(field), lookup, right: Operand::Param(param) })
}

pub fn than(field: &str, lookup: Lookup, other: &str) -> Node {
    Node::Compare(Comparison { left: path(field), lookup, right: Operand::Field(path(other)) })
}

pub fn insert(fields: &[&str]) -> Operation {
    let fields = fields.iter().map(|field| (*field).to_owned()).collect();
    Operation::Insert(Insert { fields, many: false, ignore_conflicts: false })
}

/// How an assignment changes its field.
#[derive(Clone, Copy)]
pub enum Change {
    Set,
    Add,
    Subtract,
    Multiply,
}

pub fn change(field: &str, change: Change, param: u32) -> Assignment {
    let calculated = |arithmetic| vec![value(field), given(param), Node::Calculate(arithmetic)];
    let value = match change {
        Change::Set => vec![given(param)],
        Change::Add => calculated(Arithmetic::Add),
        Change::Subtract => calculated(Arithmetic::Subtract),
        Change::Multiply => calculated(Arithmetic::Multiply),
    };
    Assignment { field: field.to_owned(), value }
}

/// A field as a value.
pub fn value(field: &str) -> Node {
    Node::Field(path(field))
}

/// Fields as values.
pub fn values(fields: &[&str]) -> Vec<Vec<Node>> {
    fields.iter().map(|field| vec![value(field)]).collect()
}

/// A parameter of the kind that it meets.
pub fn given(index: u32) -> Node {
    Node::Param(Parameter { index, kind: None })
}

pub fn update(filter: Vec<Node>, assignments: Vec<Assignment>) -> Operation {
    Operation::Update(Update { filter, assignments })
}
