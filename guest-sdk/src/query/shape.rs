//! A query's shape as a short string of words: cheap to build while chaining, to compare and to hash. The readable
//! WIT record is made of it only when this instance has not seen the shape before.
//!
//! A word is 64 bits. Bytes 0 to 5 hold a path: indexes of fields plus one, from the root model through relations to
//! the field, 0 behind the last. A relation to many takes two: [`LINK`], and its number in this instance. Byte 6 holds a look-up, a direction or a change. Byte 7 is the tag. So a path follows
//! at most [`MAX_DEPTH`] relations, and a model has at most 250 fields.

use std::hash::Hasher;

use smallvec::SmallVec;

use crate::bindings::covet::orm::query as wit;
use crate::model::meta::{LinkMeta, ModelMeta};

/// Relations that one path may follow before it names its field.
pub(crate) const MAX_DEPTH: usize = 5;

const PATH: u64 = 0x0000_ffff_ffff_ffff;
const TAG: u32 = 56;
const ARGUMENT: u32 = 48;

/// Announces the number of a relation to many; no field has it.
const LINK: u8 = u8::MAX;

/// One step of a path.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Hop {
    Field(u8),
    Many(&'static LinkMeta),
}

/// A field, reached from the root model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Path(u64);

impl Path {
    pub(crate) const fn field(index: u8) -> Self {
        Path(index as u64 + 1)
    }

    /// A relation to many.
    pub(crate) fn many(link: &'static LinkMeta) -> Self {
        Path(u64::from(LINK) | u64::from(link.number()) << 8)
    }

    /// From the root to the field.
    pub(crate) fn hops(self) -> SmallVec<[Hop; 6]> {
        let bytes = self.0.to_le_bytes();
        let mut bytes = bytes.iter().take(6).copied().take_while(|byte| *byte != 0);
        let mut hops = SmallVec::new();
        while let Some(byte) = bytes.next() {
            let hop = match byte {
                LINK => bytes.next().and_then(LinkMeta::numbered).map(Hop::Many),
                index => Some(Hop::Field(index - 1)),
            };
            hops.extend(hop);
        }
        hops
    }

    /// Field indexes from the root, of a path that leads to one row each.
    pub(crate) fn steps(self) -> SmallVec<[u8; 6]> {
        let bytes = self.0.to_le_bytes();
        bytes.iter().take(6).take_while(|b| **b != 0).map(|b| b - 1).collect()
    }

    const fn len(self) -> usize {
        (64 - self.0.leading_zeros() as usize).div_ceil(8)
    }

    /// This relation, then `rest` from the model it leads to.
    pub(crate) const fn then(self, rest: Path) -> Self {
        assert!(self.len() + rest.len() <= MAX_DEPTH + 1, "a query follows at most 5 relations in a row");
        Path(self.0 | rest.0 << (8 * self.len()))
    }

    /// `author.country` for `author.country.name`; none for a field of the root.
    pub(crate) fn parent(self) -> Option<Path> {
        let len = self.len();
        let is_link = len >= 2 && (self.0 >> (8 * (len - 2))) as u8 == LINK;
        match len - if is_link { 2 } else { 1 } {
            0 => None,
            left => Some(Path(self.0 & ((1 << (8 * left)) - 1))),
        }
    }

    pub(crate) const fn word(self) -> u64 {
        self.0
    }

    pub(crate) const fn of_word(word: u64) -> Self {
        Path(word & PATH)
    }

    fn names(self, mut meta: &'static ModelMeta) -> Vec<String> {
        let hops = self.hops();
        let mut names = Vec::with_capacity(hops.len());
        for (i, hop) in hops.iter().enumerate() {
            match hop {
                Hop::Field(index) => {
                    let field = &meta.fields[usize::from(*index)];
                    names.push(field.name.to_owned());
                    if let (true, Some(target)) = (i + 1 < hops.len(), field.target) {
                        meta = target();
                    }
                }
                Hop::Many(link) => {
                    names.extend(link.steps());
                    meta = (link.target)();
                }
            }
        }
        names
    }

    /// `author.name`, for messages.
    pub(crate) fn describe(self, meta: &'static ModelMeta) -> String {
        self.names(meta).join(".")
    }

    pub(crate) fn meta(self, mut meta: &'static ModelMeta) -> &'static crate::model::meta::FieldMeta {
        let mut field = meta.key_field();
        for hop in self.hops() {
            match hop {
                Hop::Field(index) => {
                    field = &meta.fields[usize::from(index)];
                    if let Some(target) = field.target {
                        meta = target();
                    }
                }
                Hop::Many(link) => {
                    meta = (link.target)();
                    field = meta.key_field();
                }
            }
        }
        field
    }

    fn to_wire(self, meta: &'static ModelMeta) -> wit::FieldPath {
        let mut via = self.names(meta);
        let field = via.pop().unwrap_or_default();
        wit::FieldPath { via, field }
    }
}

/// As `covet:orm/query.lookup`, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Lookup {
    Exact,
    IExact,
    Contains,
    IContains,
    StartsWith,
    IStartsWith,
    EndsWith,
    IEndsWith,
    Gt,
    Gte,
    Lt,
    Lte,
    In,
    IsNull,
    Range,
    Regex,
    IRegex,
    Year,
    Month,
    Day,
    WeekDay,
    Hour,
    Minute,
    Second,
}

const LOOKUPS: [wit::Lookup; 24] = [
    wit::Lookup::Exact,
    wit::Lookup::Iexact,
    wit::Lookup::Contains,
    wit::Lookup::Icontains,
    wit::Lookup::Startswith,
    wit::Lookup::Istartswith,
    wit::Lookup::Endswith,
    wit::Lookup::Iendswith,
    wit::Lookup::Gt,
    wit::Lookup::Gte,
    wit::Lookup::Lt,
    wit::Lookup::Lte,
    wit::Lookup::In,
    wit::Lookup::Isnull,
    wit::Lookup::Range,
    wit::Lookup::Regex,
    wit::Lookup::Iregex,
    wit::Lookup::Year,
    wit::Lookup::Month,
    wit::Lookup::Day,
    wit::Lookup::WeekDay,
    wit::Lookup::Hour,
    wit::Lookup::Minute,
    wit::Lookup::Second,
];

/// How an update changes a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Change {
    Set,
    Add,
    Subtract,
    Multiply,
}

pub(crate) type Words = SmallVec<[u64; 4]>;

// Tags of filter words.
const COMPARE_PARAM: u64 = 1;
const COMPARE_FIELD: u64 = 2; // the other field's path is the next word
const ALL: u64 = 3;
const ANY: u64 = 4;
const NEGATE: u64 = 5;

pub(crate) const fn compare(path: Path, lookup: Lookup) -> u64 {
    path.0 | (lookup as u64) << ARGUMENT | COMPARE_PARAM << TAG
}

pub(crate) const fn compare_field(path: Path, lookup: Lookup) -> u64 {
    path.0 | (lookup as u64) << ARGUMENT | COMPARE_FIELD << TAG
}

pub(crate) const fn all_of(count: u32) -> u64 {
    count as u64 | ALL << TAG
}

pub(crate) const fn any_of(count: u32) -> u64 {
    count as u64 | ANY << TAG
}

pub(crate) const fn negate() -> u64 {
    NEGATE << TAG
}

pub(crate) const fn ordered(path: Path, descending: bool) -> u64 {
    path.0 | (descending as u64) << ARGUMENT
}

pub(crate) const fn assigned(path: Path, change: Change) -> u64 {
    path.0 | (change as u64) << ARGUMENT
}

/// What a plan does; the first byte of a shape's second word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Verb {
    Select,
    Count,
    Exists,
    Insert,
    Update,
    Delete,
    GetOrCreate,
}

/// Flags of a shape.
pub(crate) mod flag {
    pub(crate) const REVERSE: u8 = 1;
    pub(crate) const LIMIT: u8 = 2;
    pub(crate) const OFFSET: u8 = 4;
    pub(crate) const DISTINCT: u8 = 8;
    pub(crate) const MANY: u8 = 16;
    pub(crate) const IGNORE_CONFLICTS: u8 = 32;
}

/// A level of prefetched rows, without its values.
#[derive(Clone, Debug)]
pub(crate) struct Level {
    pub parent: Option<u32>,
    pub link: &'static LinkMeta,
    pub filter: Words,
    pub order: SmallVec<[u64; 2]>,
    pub related: SmallVec<[u64; 2]>,
    pub reverse: bool,
    pub limited: bool,
}

impl Level {
    fn words(&self, words: &mut SmallVec<[u64; 16]>) {
        let flags = u64::from(self.reverse) | u64::from(self.limited) << 1;
        let parent = self.parent.map_or(0, |parent| u64::from(parent) + 1);
        words.extend([
            std::ptr::from_ref(self.link) as usize as u64,
            flags
                | parent << 8
                | (self.filter.len() as u64) << 16
                | (self.order.len() as u64) << 32
                | (self.related.len() as u64) << 40,
        ]);
        words.extend_from_slice(&self.filter);
        words.extend_from_slice(&self.order);
        words.extend_from_slice(&self.related);
    }

    fn to_wire(&self) -> wit::Prefetch {
        let meta = (self.link.target)();
        let (filter, params) = filter_to_wire(meta, &self.filter);
        wit::Prefetch {
            parent: self.parent,
            relation: self.link.steps(),
            filter,
            order: orders_to_wire(meta, &self.order),
            reverse: self.reverse,
            limit: self.limited.then_some(params),
            related: self.related.iter().map(|word| Path::of_word(*word).names(meta)).collect(),
        }
    }
}

fn orders_to_wire(meta: &'static ModelMeta, words: &[u64]) -> Vec<wit::Order> {
    words
        .iter()
        .map(|word| wit::Order {
            by: vec![wit::Node::Field(Path::of_word(*word).to_wire(meta))],
            descending: word >> ARGUMENT & 1 == 1,
            nulls: None,
        })
        .collect()
}

/// A whole shape: `[model's address, verb | flags | lengths of the parts, filter…, order…, related…, fields…]`.
/// `order` holds the assignments of an update, `fields` the fields of an insert. Levels of prefetched rows follow.
#[derive(Debug)]
pub(crate) struct Shape {
    meta: &'static ModelMeta,
    words: SmallVec<[u64; 16]>,
    levels: Vec<Level>,
}

impl Shape {
    #[inline]
    pub(crate) fn new(
        meta: &'static ModelMeta,
        verb: Verb,
        flags: u8,
        filter: &[u64],
        order: &[u64],
        related: &[u64],
        fields: &[u64],
    ) -> Self {
        let mut words = SmallVec::new();
        words.push(std::ptr::from_ref(meta) as usize as u64);
        words.push(
            verb as u64
                | u64::from(flags) << 8
                | (filter.len() as u64 & 0xffff) << 16
                | (order.len() as u64 & 0xff) << 32
                | (related.len() as u64 & 0xff) << 40
                | (fields.len() as u64 & 0xff) << 48,
        );
        words.extend_from_slice(filter);
        words.extend_from_slice(order);
        words.extend_from_slice(related);
        words.extend_from_slice(fields);
        Shape { meta, words, levels: Vec::new() }
    }

    pub(crate) fn with_levels(mut self, levels: Vec<Level>) -> Self {
        levels.iter().for_each(|level| level.words(&mut self.words));
        self.levels = levels;
        self
    }

    #[inline]
    pub(crate) fn words(&self) -> &[u64] {
        &self.words
    }

    /// A hash of the readable form and of every model that rows are read into.
    pub(crate) fn fingerprint(&self) -> u64 {
        use std::fmt::Write;
        struct Text(WordHasher);
        impl Write for Text {
            fn write_str(&mut self, text: &str) -> std::fmt::Result {
                self.0.write_usize(text.len());
                self.0.write(text.as_bytes());
                Ok(())
            }
        }
        let mut text = Text(WordHasher::default());
        let _ = write!(text, "{:?}{:?}", self.to_wire(), self.meta.to_wire());
        let (filter, order, related) =
            (self.words[1] >> 16 & 0xffff, self.words[1] >> 32 & 0xff, self.words[1] >> 40 & 0xff);
        for path in self.words.iter().skip(2 + filter as usize + order as usize).take(related as usize) {
            if let Some(target) = Path::of_word(*path).meta(self.meta).target {
                let _ = write!(text, "{:?}", target().to_wire());
            }
        }
        for level in &self.levels {
            let _ = write!(text, "{:?}", (level.link.target)().to_wire());
        }
        text.0.finish()
    }

    /// The readable form, for `prepare`.
    pub(crate) fn to_wire(&self) -> wit::Shape {
        let meta = self.meta;
        let head = self.words[1];
        let flags = (head >> 8) as u8;
        let lengths = [head >> 16 & 0xffff, head >> 32 & 0xff, head >> 40 & 0xff, head >> 48 & 0xff];
        let mut rest = &self.words[2..];
        let [filter, order, related, fields] = lengths.map(|len| {
            let (part, tail) = rest.split_at(len as usize);
            rest = tail;
            part
        });
        let (nodes, mut params) = filter_to_wire(meta, filter);
        let mut param = || {
            params += 1;
            params - 1
        };
        let insert = || wit::Insert {
            fields: fields.iter().map(|f| Path::of_word(*f).to_wire(meta).field).collect(),
            many: flags & flag::MANY != 0,
            ignore_conflicts: flags & flag::IGNORE_CONFLICTS != 0,
        };
        let operation = match head as u8 {
            v if v == Verb::Select as u8 => wit::Operation::Select(wit::Select {
                filter: nodes,
                order: orders_to_wire(meta, order),
                reverse: flags & flag::REVERSE != 0,
                limit: (flags & flag::LIMIT != 0).then(&mut param),
                offset: (flags & flag::OFFSET != 0).then(&mut param),
                related: related.iter().map(|word| Path::of_word(*word).names(meta)).collect(),
                fields: fields.iter().map(|word| vec![wit::Node::Field(Path::of_word(*word).to_wire(meta))]).collect(),
                computed: Vec::new(),
                group: None,
                distinct: flags & flag::DISTINCT != 0,
                distinct_on: Vec::new(),
                combine: Vec::new(),
                prefetch: self.levels.iter().map(Level::to_wire).collect(),
            }),
            v if v == Verb::Count as u8 => wit::Operation::Count(nodes),
            v if v == Verb::Exists as u8 => wit::Operation::Exists(nodes),
            v if v == Verb::Insert as u8 => wit::Operation::Insert(insert()),
            v if v == Verb::Update as u8 => wit::Operation::Update(wit::Update {
                filter: nodes,
                assignments: order
                    .iter()
                    .map(|word| {
                        let path = Path::of_word(*word).to_wire(meta);
                        let value = wit::Node::Param(wit::Parameter { index: param(), kind: None });
                        let calculated =
                            |by| vec![wit::Node::Field(path.clone()), value.clone(), wit::Node::Calculate(by)];
                        let value = match (word >> ARGUMENT) as u8 {
                            1 => calculated(wit::Arithmetic::Add),
                            2 => calculated(wit::Arithmetic::Subtract),
                            3 => calculated(wit::Arithmetic::Multiply),
                            _ => vec![value],
                        };
                        wit::Assignment { field: path.field, value }
                    })
                    .collect(),
            }),
            v if v == Verb::Delete as u8 => wit::Operation::Delete(nodes),
            _ => wit::Operation::GetOrCreate(wit::GetOrCreate { filter: nodes, create: insert() }),
        };
        wit::Shape { model: meta.name.into(), operation, queries: Vec::new() }
    }
}

/// The nodes, and how many parameters they take.
pub(crate) fn filter_to_wire(meta: &'static ModelMeta, words: &[u64]) -> (Vec<wit::Node>, u32) {
    let mut nodes = Vec::with_capacity(words.len());
    let mut params = 0;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let count = *word as u32;
        nodes.push(match word >> TAG {
            ALL => wit::Node::AllOf(count),
            ANY => wit::Node::AnyOf(count),
            NEGATE => wit::Node::Negate,
            tag => {
                let right = if tag == COMPARE_FIELD {
                    let other = words.next().copied().unwrap_or_default();
                    wit::Operand::Field(Path::of_word(other).to_wire(meta))
                } else {
                    params += 1;
                    wit::Operand::Param(params - 1)
                };
                wit::Node::Compare(wit::Comparison {
                    left: Path::of_word(*word).to_wire(meta),
                    lookup: LOOKUPS[usize::from((word >> ARGUMENT) as u8) % LOOKUPS.len()],
                    right,
                })
            }
        });
    }
    (nodes, params)
}

/// FxHash over whole words.
#[derive(Default, Clone)]
pub(crate) struct WordHasher(rustc_hash::FxHasher);

impl Hasher for WordHasher {
    fn finish(&self) -> u64 {
        self.0.finish()
    }
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.0.write_u64(u64::from_le_bytes(*word));
        }
        for byte in rest {
            self.0.write_u8(*byte);
        }
    }
    fn write_usize(&mut self, value: usize) {
        self.0.write_usize(value);
    }
}
