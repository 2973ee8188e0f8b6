//! Entry points for fuzzers: any bytes make a shape, and any bytes are bound. Not part of the API.

use crate::schema::{ArraySpec, DecimalSpec, Element, Field, Index, IndexColumn, Kind, Model, OnDelete, Relation};
use crate::shape::{
    Aggregate, Aggregation, Arithmetic, Assignment, Call, Choice, Combination, Combining, Comparison, FieldPath,
    Function, GetOrCreate, InnerQuery, Insert, Lookup, Node, Nulls, Operand, Operation, Order, Parameter, Prefetch,
    Ranking, Select, Shape, Summary, Update, Window, WindowFunction,
};
use crate::{Catalog, Dialect, Plans, plan};

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

    fn one_of<T: Copy>(&mut self, all: &[T], otherwise: T) -> T {
        let at = usize::from(self.byte());
        all.get(at % all.len().max(1)).copied().unwrap_or(otherwise)
    }

    fn kind(&mut self) -> Kind {
        match self.byte() % 8 {
            0 => Kind::Boolean,
            1 => Kind::Float64,
            2 => Kind::Decimal(DecimalSpec { digits: self.byte() % 50, scale: self.byte() % 50 }),
            3 => Kind::Text,
            4 => Kind::Datetime,
            5 => Kind::Date,
            6 => Kind::Duration,
            _ => Kind::Int64,
        }
    }

    fn param(&mut self) -> Node {
        let kind = if self.flag() { Some(self.kind()) } else { None };
        Node::Param(Parameter { index: self.number(), kind })
    }

    fn comparison(&mut self) -> Node {
        let left = self.path();
        let lookup = self.one_of(&Lookup::ALL, Lookup::Exact);
        let right =
            if self.byte().is_multiple_of(5) { Operand::Field(self.path()) } else { Operand::Param(self.number()) };
        Node::Compare(Comparison { left, lookup, right })
    }

    fn node(&mut self) -> Node {
        match self.byte() % 24 {
            0 => Node::AllOf(self.number()),
            1 => Node::AnyOf(self.number()),
            2 => Node::Negate,
            3 => Node::Test(self.one_of(&Lookup::ALL, Lookup::Exact)),
            4 => Node::Exists(self.number()),
            5 => Node::Among(self.number()),
            6 | 7 => Node::Field(self.path()),
            8 => Node::Outer(self.path()),
            9 | 10 => self.param(),
            11 | 12 => Node::Calculate(self.one_of(&Arithmetic::ALL, Arithmetic::Add)),
            13 | 14 => {
                Node::Call(Call { function: self.one_of(&Function::ALL, Function::Now), arguments: self.number() })
            }
            15 => Node::Cast(self.kind()),
            16 => Node::Choose(Choice { branches: self.number(), otherwise: self.flag() }),
            17 => Node::Aggregate(Aggregate {
                function: self.one_of(&Aggregation::ALL, Aggregation::Count),
                value: self.flag(),
                distinct: self.flag(),
                filtered: self.flag(),
            }),
            18 => Node::Window(Window {
                function: if self.flag() {
                    WindowFunction::Ranking(self.one_of(&Ranking::ALL, Ranking::Rank))
                } else {
                    WindowFunction::Aggregation(self.one_of(&Aggregation::ALL, Aggregation::Sum))
                },
                arguments: self.number(),
                partition: self.number(),
                order: self.several(Self::flag),
            }),
            19 => Node::Subquery(self.number()),
            _ => self.comparison(),
        }
    }

    fn value(&mut self) -> Vec<Node> {
        if self.flag() { vec![Node::Field(self.path())] } else { self.several(Self::node) }
    }

    fn insert(&mut self) -> Insert {
        Insert { fields: self.several(Self::name), many: self.flag(), ignore_conflicts: self.flag() }
    }

    fn order(&mut self) -> Order {
        Order { by: self.value(), descending: self.flag(), nulls: self.flag().then_some(Nulls::Last) }
    }

    fn level(&mut self) -> Prefetch {
        let steps = ["Post.author", "Post.parent", "Author.parent", "author", "Nobody.x"];
        Prefetch {
            parent: self.flag().then(|| self.number()),
            relation: self.several(|choices| {
                steps.get(usize::from(choices.byte()) % steps.len()).copied().unwrap_or_default().to_owned()
            }),
            filter: self.several(Self::node),
            order: self.several(Self::order),
            reverse: self.flag(),
            limit: self.flag().then(|| self.number()),
            related: self.several(|choices| choices.several(Self::name)),
        }
    }

    fn select(&mut self) -> Select {
        Select {
            prefetch: if self.flag() { self.several(Self::level) } else { Vec::new() },
            filter: self.several(Self::node),
            order: self.several(Self::order),
            reverse: self.flag(),
            limit: self.flag().then(|| self.number()),
            offset: self.flag().then(|| self.number()),
            related: self.several(|choices| choices.several(Self::name)),
            fields: if self.flag() { self.several(Self::value) } else { Vec::new() },
            computed: if self.flag() { self.several(Self::value) } else { Vec::new() },
            group: if self.flag() { Some(self.several(Self::value)) } else { None },
            distinct: self.flag(),
            distinct_on: if self.flag() { self.several(Self::value) } else { Vec::new() },
            combine: if self.flag() { self.several(Self::combination) } else { Vec::new() },
        }
    }

    fn combination(&mut self) -> Combination {
        const ALL: [Combining; 6] = [
            Combining::Union,
            Combining::UnionAll,
            Combining::Intersect,
            Combining::IntersectAll,
            Combining::Except,
            Combining::ExceptAll,
        ];
        Combination { combining: self.one_of(&ALL, Combining::Union), query: self.number() }
    }

    fn inner_query(&mut self) -> InnerQuery {
        let model = self.one_of(&["Author", "Post", "Nobody"], "Post");
        InnerQuery { model: model.to_owned(), select: self.select() }
    }

    fn operation(&mut self) -> Operation {
        match self.byte() % 8 {
            0 => Operation::Select(self.select()),
            1 => Operation::Count(self.several(Self::node)),
            2 => Operation::Exists(self.several(Self::node)),
            3 => Operation::Insert(self.insert()),
            4 => Operation::Update(Update {
                filter: self.several(Self::node),
                assignments: self
                    .several(|choices| Assignment { field: choices.name(), value: choices.several(Self::node) }),
            }),
            5 => Operation::Delete(self.several(Self::node)),
            6 => Operation::Summary(Summary { of: self.select(), values: self.several(Self::value) }),
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
    let queries = if choices.flag() { choices.several(Choices::inner_query) } else { Vec::new() };
    Shape { model: model.to_owned(), operation: choices.operation(), queries }
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
        let _ = crate::Call::of(&std::sync::Arc::new(plan), bytes);
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
    let shape = |operation| Shape::of("Post", operation);
    for many in [false, true] {
        let insert = Insert { fields: all.clone(), many, ignore_conflicts: many };
        let _ = plans.prepare(&shape(Operation::Insert(insert)));
    }
    for field in &all {
        for lookup in Lookup::ALL {
            let node = Node::Compare(Comparison { left: FieldPath::of(field), lookup, right: Operand::Param(0) });
            let _ = plans.prepare(&shape(Operation::Count(vec![node])));
        }
        let value = vec![Node::Param(Parameter { index: 0, kind: None })];
        let assignment = Assignment { field: field.clone(), value };
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
            let _ = crate::Call::of(plan, bytes);
        }
    }
}
