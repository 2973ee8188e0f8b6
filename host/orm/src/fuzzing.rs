//! Entry points for fuzzers: any bytes make a shape, and any bytes are bound. Not part of the API.

use crate::schema::{ArraySpec, DecimalSpec, Element, Field, Index, IndexColumn, Kind, Model, OnDelete, Relation};
use crate::shape::{
    Assignment, Change, Comparison, FieldPath, GetOrCreate, Insert, Lookup, Node, Operand, Operation, Order, Prefetch,
    Select, Shape, Update,
};
use crate::{Call, Catalog, Dialect, Plans, plan};

/// Reads bytes as choices; past the end every choice is 0.
struct Choices<'b> {
    bytes: &'b [u8],
}

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        match self.bytes.split_first() {
            Some((first, rest)) => {
                self.bytes = rest;
                *first
            }
            None => 0,
        }
    }

    fn number(&mut self) -> u32 {
        match self.byte() {
            255 => u32::from_be_bytes([self.byte(), self.byte(), self.byte(), self.byte()]),
            small => u32::from(small % 8),
        }
    }

    fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    fn several<T>(&mut self, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = self.byte() % 12;
        let mut all = Vec::new();
        for _ in 0..count {
            if self.bytes.is_empty() {
                break;
            }
            all.push(one(self));
        }
        all
    }

    fn name(&mut self) -> String {
        const NAMES: [&str; 24] = [
            "id", "author", "title", "price", "wide", "born", "at", "time", "lasts", "data", "key", "state", "mail",
            "link", "doc", "small", "ratio", "flag", "parent", "name", "nothing", "", "\"; --", "slug",
        ];
        let at = usize::from(self.byte());
        NAMES.get(at % NAMES.len()).copied().unwrap_or_default().to_owned()
    }

    fn path(&mut self) -> FieldPath {
        let via = if self.flag() { self.several(Self::name) } else { Vec::new() };
        FieldPath { via, field: self.name() }
    }

    fn node(&mut self) -> Node {
        match self.byte() % 6 {
            0 => Node::AllOf(self.number()),
            1 => Node::AnyOf(self.number()),
            2 => Node::Negate,
            _ => {
                let left = self.path();
                let lookup =
                    Lookup::ALL.get(usize::from(self.byte()) % Lookup::ALL.len()).copied().unwrap_or(Lookup::Exact);
                let right = if self.byte().is_multiple_of(5) {
                    Operand::Field(self.path())
                } else {
                    Operand::Param(self.number())
                };
                Node::Compare(Comparison { left, lookup, right })
            }
        }
    }

    fn insert(&mut self) -> Insert {
        Insert { fields: self.several(Self::name), many: self.flag(), ignore_conflicts: self.flag() }
    }

    fn level(&mut self) -> Prefetch {
        let steps = ["Post.author", "Post.parent", "Author.parent", "author", "Nobody.x"];
        Prefetch {
            parent: self.flag().then(|| self.number()),
            relation: self.several(|choices| {
                steps.get(usize::from(choices.byte()) % steps.len()).copied().unwrap_or_default().to_owned()
            }),
            filter: self.several(Self::node),
            order: self.several(|choices| Order { by: choices.path(), descending: choices.flag() }),
            reverse: self.flag(),
            limit: self.flag().then(|| self.number()),
            related: self.several(|choices| choices.several(Self::name)),
        }
    }

    fn operation(&mut self) -> Operation {
        match self.byte() % 7 {
            0 => Operation::Select(Select {
                prefetch: if self.flag() { self.several(Self::level) } else { Vec::new() },
                filter: self.several(Self::node),
                order: self.several(|choices| Order { by: choices.path(), descending: choices.flag() }),
                reverse: self.flag(),
                limit: self.flag().then(|| self.number()),
                offset: self.flag().then(|| self.number()),
                related: self.several(|choices| choices.several(Self::name)),
                fields: if self.flag() { self.several(Self::path) } else { Vec::new() },
                distinct: self.flag(),
            }),
            1 => Operation::Count(self.several(Self::node)),
            2 => Operation::Exists(self.several(Self::node)),
            3 => Operation::Insert(self.insert()),
            4 => Operation::Update(Update {
                filter: self.several(Self::node),
                assignments: self.several(|choices| Assignment {
                    field: choices.name(),
                    change: match choices.byte() % 4 {
                        0 => Change::Set,
                        1 => Change::Add,
                        2 => Change::Subtract,
                        _ => Change::Multiply,
                    },
                    param: choices.number(),
                }),
            }),
            5 => Operation::Delete(self.several(Self::node)),
            _ => Operation::GetOrCreate(GetOrCreate { filter: self.several(Self::node), create: self.insert() }),
        }
    }
}

/// A shape from any bytes; most name fields of [`models`].
pub fn shape(bytes: &[u8]) -> Shape {
    let mut choices = Choices { bytes };
    let model = match choices.byte() % 8 {
        0 => "Author",
        7 => "Nobody",
        _ => "Post",
    };
    Shape { model: model.to_owned(), operation: choices.operation() }
}

/// Two models with a field of every kind and both sorts of relation.
pub fn models() -> Vec<Model> {
    let field = |name: &str, kind: Kind| Field {
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
    };
    let key = || Field { primary_key: true, auto_increment: true, ..field("id", Kind::Int64) };
    let relation = |name: &str, model: &str, nullable: bool| Field {
        column: format!("{name}_id"),
        nullable,
        references: Some(Relation { model: model.to_owned(), on_delete: OnDelete::Cascade, value: None }),
        ..field(name, Kind::Int64)
    };
    let nullable = |field: Field| Field { nullable: true, ..field };
    let by = |field: &str, descending: bool| IndexColumn { field: field.to_owned(), descending };
    let author = Model {
        name: "Author".to_owned(),
        table: "authors".to_owned(),
        fields: vec![key(), field("name", Kind::Varchar(80)), relation("parent", "Author", true)],
        indexes: Vec::new(),
        checks: Vec::new(),
        ordering: vec![by("name", false)],
        managed: true,
        max_rows: None,
    };
    let post = Model {
        name: "Post".to_owned(),
        table: "posts".to_owned(),
        fields: vec![
            key(),
            relation("author", "Author", false),
            relation("parent", "Post", true),
            field("title", Kind::Varchar(200)),
            Field { unique: true, ..field("slug", Kind::Varchar(80)) },
            field("price", Kind::Decimal(DecimalSpec { digits: 10, scale: 2 })),
            field("wide", Kind::Decimal(DecimalSpec { digits: 30, scale: 6 })),
            nullable(field("born", Kind::Date)),
            nullable(field("at", Kind::Datetime)),
            nullable(field("time", Kind::Time)),
            nullable(field("lasts", Kind::Duration)),
            nullable(field("data", Kind::Binary)),
            nullable(field("key", Kind::Uuid)),
            nullable(field("state", Kind::Enumeration(vec!["draft".to_owned(), "live".to_owned()]))),
            nullable(field("mail", Kind::Email)),
            nullable(field("link", Kind::Url)),
            nullable(field("tag", Kind::Slug(50))),
            nullable(field("from", Kind::IpAddress)),
            nullable(field("list", Kind::Array(ArraySpec { element: Element::Int32, size: Some(8) }))),
            nullable(field("doc", Kind::Json)),
            nullable(field("small", Kind::Int16)),
            nullable(field("ratio", Kind::Float64)),
            nullable(field("flag", Kind::Boolean)),
        ],
        indexes: vec![Index {
            name: String::new(),
            columns: vec![by("born", true), by("title", false)],
            unique: false,
            folded: false,
            condition: None,
        }],
        checks: Vec::new(),
        ordering: vec![by("born", true)],
        managed: true,
        max_rows: None,
    };
    vec![author, post]
}

/// Plans the shape that the bytes make, and binds them to whatever came of it.
pub fn plan_any(bytes: &[u8]) {
    let Ok(catalog) = Catalog::new(models()) else {
        return;
    };
    if let Ok(plan) = plan(&catalog, Dialect::Sqlite, &shape(bytes)) {
        let _ = Call::of(&std::sync::Arc::new(plan), bytes);
    }
}

/// One plan of each kind of operation and of parameter, and the plans that hold them.
pub fn plans() -> Plans {
    let catalog = Catalog::new(models()).unwrap_or_default();
    let plans = Plans::new(std::sync::Arc::new(catalog), Dialect::Sqlite);
    let all: Vec<String> = models()
        .into_iter()
        .nth(1)
        .map(|model| model.fields.into_iter().map(|field| field.name).collect())
        .unwrap_or_default();
    let shape = |operation| Shape { model: "Post".to_owned(), operation };
    for many in [false, true] {
        let insert = Insert { fields: all.clone(), many, ignore_conflicts: many };
        let _ = plans.prepare(&shape(Operation::Insert(insert)));
    }
    for field in &all {
        for lookup in Lookup::ALL {
            let node = Node::Compare(Comparison { left: FieldPath::of(field), lookup, right: Operand::Param(0) });
            let _ = plans.prepare(&shape(Operation::Count(vec![node])));
        }
        let assignment = Assignment { field: field.clone(), change: Change::Set, param: 0 };
        let _ = plans.prepare(&shape(Operation::Update(Update { filter: Vec::new(), assignments: vec![assignment] })));
    }
    let posts = Prefetch { relation: vec!["Post.parent".to_owned()], limit: Some(0), ..Prefetch::default() };
    let _ = plans.prepare(&shape(Operation::Select(Select { prefetch: vec![posts], ..Select::default() })));
    let page = Select { limit: Some(0), offset: Some(1), ..Select::default() };
    let _ = plans.prepare(&shape(Operation::Select(page)));
    plans
}

/// Binds any bytes to every plan of [`plans`]; build those once.
pub fn bind_any(plans: &Plans, bytes: &[u8]) {
    for number in 0..plans.len() {
        if let Some(plan) = u32::try_from(number).ok().and_then(|number| plans.peek(number)) {
            let _ = Call::of(plan, bytes);
        }
    }
}
