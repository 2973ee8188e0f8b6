//! Proves that a read is short: that it looks at few rows, whatever the tables hold.
//!
//! A short read may run on the thread that serves requests, so the proof must not hope: it holds for any data. The one
//! thing it leaves to SQLite is to pick the index that fits both filter and order; the driver's deadline is the net below.

use covet_db::Value;

use crate::Dialect;
use crate::bind::Slots;
use crate::catalog::{Entry, KeyColumn};

/// Most rows that a short read answers with, unless a unique key bounds it.
pub const SHORT_ROWS: i64 = 64;
/// Most rows that a short read skips.
pub const SHORT_OFFSET: i64 = 256;
/// Longest `in` list over a unique key that is still short.
pub const SHORT_LIST: usize = 64;

/// What the filter demands of every row, for one field of the root model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    /// Equality with a parameter; with null it is no key.
    Equal { field: usize, slot: u64, nullable: bool },
    /// Membership in a list.
    Listed { field: usize, slot: u64 },
    /// A contiguous range.
    Within { field: usize },
    /// A row of the root may be many of the answer: no key of it bounds them.
    Many,
    /// Anything else: rows are looked at that are not in the answer.
    Other,
}

/// When a read is short. Positions are those of the bound values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Brevity {
    pub rule: Rule,
    /// Parameters that must not be null.
    pub not_null: Vec<usize>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Rule {
    #[default]
    Never,
    Always,
    /// The list there must be short.
    List(usize),
    /// Limit and offset must be small.
    Page {
        limit: usize,
        offset: Option<usize>,
    },
}

impl Brevity {
    #[inline]
    pub fn holds(&self, values: &[Value]) -> bool {
        let small = |at: usize, most: i64| matches!(values.get(at), Some(Value::Int(rows)) if *rows <= most);
        let rule = match self.rule {
            Rule::Never => false,
            Rule::Always => true,
            Rule::List(at) => {
                matches!(values.get(at), Some(Value::List(list)) if list.len() <= SHORT_LIST)
            }
            Rule::Page { limit, offset } => {
                small(limit, SHORT_ROWS) && offset.is_none_or(|offset| small(offset, SHORT_OFFSET))
            }
        };
        rule && self.not_null.iter().all(|at| !matches!(values.get(*at), None | Some(Value::Null)))
    }
}

/// A proof in terms of slots; `None` within: always.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyProof {
    pub list: Option<u64>,
    pub not_null: Vec<u64>,
}

impl KeyProof {
    /// Exactly one row at most, for any list and null.
    pub fn is_single(&self) -> bool {
        self.list.is_none() && self.not_null.is_empty()
    }
}

/// Proves that a unique key bounds the rows.
pub(super) fn by_key(entry: &Entry, facts: &[Fact]) -> Option<KeyProof> {
    if facts.contains(&Fact::Many) {
        return None;
    }
    let equal = |column: &KeyColumn| {
        facts.iter().find_map(|fact| match fact {
            Fact::Equal { field, slot, nullable } if *field == column.field => Some(nullable.then_some(*slot)),
            _ => None,
        })
    };
    let mut best: Option<KeyProof> = None;
    for key in entry.keys.iter().filter(|key| key.unique) {
        let columns: Option<Vec<Option<u64>>> = key.columns.iter().map(equal).collect();
        if let Some(columns) = columns {
            let proof = KeyProof { list: None, not_null: columns.into_iter().flatten().collect() };
            if proof.is_single() {
                return Some(proof);
            }
            best.get_or_insert(proof);
        }
    }
    if best.is_some() {
        return best;
    }
    // A list over a key of one column; nulls are never in a list.
    entry.keys.iter().filter(|key| key.unique && key.columns.len() == 1).find_map(|key| {
        let column = key.columns.first()?;
        facts.iter().find_map(|fact| match fact {
            Fact::Listed { field, slot } if *field == column.field => {
                Some(KeyProof { list: Some(*slot), not_null: Vec::new() })
            }
            _ => None,
        })
    })
}

/// True when some index yields exactly the filtered rows in the wanted order, so that a limit bounds the work.
/// `order`: fields of the root and whether descending.
pub(super) fn by_order(entry: &Entry, facts: &[Fact], order: &[KeyColumn]) -> bool {
    if facts.iter().any(|fact| matches!(fact, Fact::Other | Fact::Many | Fact::Listed { .. })) {
        return false;
    }
    entry.keys.iter().any(|key| {
        // SQLite keeps the rowid, which is an integer primary key, after the columns of each index.
        let mut columns = key.columns.clone();
        if entry.has_integer_key() && !columns.iter().any(|column| column.field == entry.primary_key) {
            columns.push(KeyColumn { field: entry.primary_key, descending: false });
        }
        walks(&columns, facts, order)
    })
}

fn walks(columns: &[KeyColumn], facts: &[Fact], order: &[KeyColumn]) -> bool {
    let is_equal =
        |field: usize| facts.iter().any(|fact| matches!(fact, Fact::Equal { field: of, .. } if *of == field));
    let prefix = columns.iter().take_while(|column| is_equal(column.field)).count();
    let (Some(head), Some(rest)) = (columns.get(..prefix), columns.get(prefix..)) else {
        return false;
    };
    // Each equality is used by the prefix, each range by the column that follows it.
    let used = facts.iter().all(|fact| match fact {
        Fact::Equal { field, .. } => head.iter().any(|column| column.field == *field),
        Fact::Within { field } => rest.first().is_some_and(|column| column.field == *field),
        Fact::Listed { .. } | Fact::Many | Fact::Other => false,
    });
    if !used {
        return false;
    }
    // A column held constant orders nothing.
    let mut wanted = order.iter().filter(|column| !is_equal(column.field));
    let mut flipped = None;
    for column in rest {
        let Some(next) = wanted.next() else {
            return true;
        };
        let turn = next.descending != column.descending;
        if next.field != column.field || *flipped.get_or_insert(turn) != turn {
            return false;
        }
    }
    wanted.next().is_none()
}

/// Turns slots into positions of bound values.
pub(super) fn place(order: &[u64], slot: u64) -> Option<usize> {
    order.iter().position(|at| *at == slot)
}

/// A key's proof over placed values; `Never` when a slot was lost.
pub(super) fn placed(proof: &KeyProof, order: &[u64]) -> Brevity {
    let not_null: Option<Vec<usize>> = proof.not_null.iter().map(|slot| place(order, *slot)).collect();
    let rule = match proof.list {
        None => Some(Rule::Always),
        Some(slot) => place(order, slot).map(Rule::List),
    };
    match (rule, not_null) {
        (Some(rule), Some(not_null)) => Brevity { rule, not_null },
        _ => Brevity::default(),
    }
}

/// Puts slots into the order in which the text uses them.
pub(super) fn arrange(dialect: Dialect, slots: Vec<crate::bind::Slot>, order: &[u64]) -> Slots {
    Slots::new(dialect, order.iter().filter_map(|at| slots.get(usize::try_from(*at).ok()?).cloned()).collect())
}
