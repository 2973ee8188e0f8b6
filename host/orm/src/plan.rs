//! A shape, checked against the catalog, becomes a [`Plan`]: SQL text made once, and for each call a list of what to bind.
//!
//! SQL text contains checked identifiers and placeholders only; nothing a plugin sends at run time reaches it. A plan
//! proves which reads are short ([`covet_db::Access::ShortRead`]), and names the tables that it reads and writes.

mod aggregate;
mod body;
mod combine;
pub(crate) mod condition;
mod delete;
mod filter;
mod group;
mod inner;
mod order;
mod path;
mod prefetch;
mod proof;
mod query;
mod reverse;
mod select;
mod summary;
mod term;
mod tree;
mod value;
mod write;

use std::collections::BTreeSet;
use std::sync::Arc;

use covet_db::{InsertKey, Statement, Value, Work};
use minicbor::decode::Decoder;

use crate::bind::{self, Items, Slots};
use crate::dialect::Words;
use crate::shape::{InnerQuery, Operation, Shape};
use crate::{Catalog, Dialect, QueryError};

pub use body::{MAX_COLUMNS, MAX_LIMIT};
pub(crate) use delete::{Deletion, Edge, First, Part, Rule};
pub use path::{MAX_JOINS, MAX_NESTED, MAX_PATH, MAX_QUERIES};
pub use prefetch::MAX_LEVELS;
pub(crate) use prefetch::{Level, Tree};
pub use proof::{SHORT_LIST, SHORT_OFFSET, SHORT_ROWS};
pub use select::ROW_GUARD;
pub use tree::{MAX_DEPTH, MAX_NODES};
pub use write::MAX_INSERT_ROWS;

use path::Scope;
use proof::Brevity;

/// A query, ready to run with any parameters. Immutable; shared by all instances of a generation.
#[derive(Debug)]
pub struct Plan {
    step: Step,
    /// Parameters of a call; for a bulk insert those of a row.
    params: u32,
    reads: Vec<Arc<str>>,
    writes: Vec<Arc<str>>,
}

#[derive(Debug)]
pub(crate) enum Step {
    Select {
        read: Read,
        limit: Option<usize>,
        /// Most rows where no limit asks for more.
        guard: u64,
    },
    Scalar {
        read: Read,
    },
    Execute {
        statement: Statement,
        slots: Slots,
    },
    Insert {
        statement: Statement,
        slots: Slots,
        many: bool,
        key: InsertKey,
    },
    Delete(Box<Deletion>),
    Prefetch(Box<Tree>),
    GetOrCreate {
        find: Statement,
        find_slots: Slots,
        insert: Statement,
        insert_slots: Slots,
        reload: Statement,
        key: InsertKey,
    },
}

/// A read in both of its forms; parameters decide which one runs.
#[derive(Debug)]
pub(crate) struct Read {
    pub long: Statement,
    pub short: Option<Statement>,
    pub brevity: Brevity,
    pub slots: Slots,
}

impl Read {
    #[inline]
    fn pick(&self, values: &[Value]) -> Statement {
        match &self.short {
            Some(short) if self.brevity.holds(values) => short.clone(),
            _ => self.long.clone(),
        }
    }
}

/// Plans a shape: checks every name, kind and limit. About 10 to 50 µs.
///
/// # Errors
/// `BadQuery` when the shape doesn't fit the models, `TooLarge` past a limit; each says what to write instead.
pub fn plan(catalog: &Catalog, dialect: Dialect, shape: &Shape) -> Result<Plan, QueryError> {
    let Some(root) = catalog.index_of(&shape.model) else {
        return Err(path::unknown_model(&shape.model));
    };
    let ground = Ground { catalog, words: dialect.words(), queries: &shape.queries, root };
    let made = match &shape.operation {
        Operation::Select(select) if !select.prefetch.is_empty() => prefetch::tree(ground, select),
        Operation::Select(select) => select::select(ground, select),
        Operation::Summary(summary) => select::summarise(ground, summary),
        Operation::Count(filter) => select::count(ground, filter),
        Operation::Exists(filter) => select::exists(ground, filter),
        Operation::Insert(insert) => write::insert(ground, insert),
        Operation::Update(update) => write::update(ground, update),
        Operation::Delete(filter) => delete::delete(ground, filter),
        Operation::GetOrCreate(both) => write::get_or_create(ground, both),
    }?;
    Ok(made.into_plan(catalog))
}

/// What a shape is planned on.
#[derive(Clone, Copy)]
pub(crate) struct Ground<'c> {
    pub catalog: &'c Catalog,
    pub words: &'static dyn Words,
    pub queries: &'c [InnerQuery],
    /// The model, as an index into the catalog.
    pub root: usize,
}

impl<'c> Ground<'c> {
    /// A scope whose root table goes by `alias`.
    fn scope(self, alias: &str) -> Result<Scope<'c>, QueryError> {
        Scope::new(self.catalog, self.root, alias)?.with(self.queries)
    }
}

/// What planning an operation yields; tables as indexes into the catalog.
pub(crate) struct Made {
    pub step: Step,
    pub params: u32,
    pub reads: BTreeSet<usize>,
    pub writes: BTreeSet<usize>,
}

impl Made {
    fn into_plan(self, catalog: &Catalog) -> Plan {
        let names = |tables: BTreeSet<usize>| {
            tables
                .into_iter()
                .filter_map(|at| catalog.entry(at))
                .map(|entry| Arc::from(entry.model.table.as_str()))
                .collect()
        };
        Plan { step: self.step, params: self.params, reads: names(self.reads), writes: names(self.writes) }
    }
}

impl Plan {
    /// Turns the parameters of one call into work for the database; not of a deletion or prefetch, see [`crate::Call`]. About 0.1 µs for a read by primary key; otherwise linear
    /// in the bytes. SQL text is never copied.
    ///
    /// # Errors
    /// `BadQuery` when count or CBOR type are wrong, `Invalid` when a field refuses its value, `TooLarge` past a limit.
    pub fn bind(&self, params: &[u8]) -> Result<Work, QueryError> {
        match &self.step {
            Step::Select { read, limit, guard } => {
                let values = read.slots.bind(params, self.params)?;
                let max_rows = match limit.and_then(|at| values.get(at)) {
                    Some(Value::Int(rows)) => (*guard).max(rows.unsigned_abs()),
                    _ => *guard,
                };
                Ok(Work::Query { statement: read.pick(&values), params: values, max_rows })
            }
            Step::Scalar { read } => {
                let values = read.slots.bind(params, self.params)?;
                Ok(Work::Scalar { statement: read.pick(&values), params: values })
            }
            Step::Execute { statement, slots } => {
                Ok(Work::Execute { statement: statement.clone(), params: slots.bind(params, self.params)? })
            }
            Step::Insert { statement, slots, many, key } => {
                let rows = if *many { self.bind_rows(slots, params)? } else { vec![slots.bind(params, self.params)?] };
                Ok(Work::Insert { statement: statement.clone(), rows, key: *key })
            }
            Step::Delete(_) | Step::Prefetch(_) => {
                Err(QueryError::bad("a deletion or prefetch takes several pieces of work: see `Call`"))
            }
            Step::GetOrCreate { find, find_slots, insert, insert_slots, reload, key } => {
                let mut decoder = Decoder::new(params);
                bind::open(&mut decoder, u64::from(self.params), "parameters")?;
                let items = Items::scan(&mut decoder, self.params)?;
                bind::close(&decoder)?;
                let mut find_params = Vec::with_capacity(find_slots.len());
                items.fill(find_slots, &mut find_params)?;
                let mut insert_params = Vec::with_capacity(insert_slots.len());
                items.fill(insert_slots, &mut insert_params)?;
                Ok(Work::GetOrCreate {
                    find: find.clone(),
                    find_params,
                    insert: insert.clone(),
                    insert_params,
                    reload: reload.clone(),
                    key: *key,
                })
            }
        }
    }

    fn bind_rows(&self, slots: &Slots, params: &[u8]) -> Result<Vec<Vec<Value>>, QueryError> {
        let mut decoder = Decoder::new(params);
        let count = match decoder.array() {
            Ok(Some(count)) => count,
            _ => {
                return Err(QueryError::bad("parameters are not a CBOR array (of definite length) of rows"));
            }
        };
        if count > MAX_INSERT_ROWS {
            return Err(QueryError::TooLarge(format!(
                "{count} rows in one insert, at most {MAX_INSERT_ROWS} fit: insert in batches within a transaction"
            )));
        }
        // A row takes a byte at least, so the bytes at hand bound what is reserved.
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let mut rows = Vec::with_capacity(count.min(params.len()));
        for at in 0..count {
            let row = bind::open(&mut decoder, u64::from(self.params), "values")
                .and_then(|()| slots.take(&mut decoder, self.params))
                .map_err(|fault| in_row(fault, at))?;
            rows.push(row);
        }
        bind::close(&decoder)?;
        Ok(rows)
    }

    pub(crate) fn step(&self) -> &Step {
        &self.step
    }

    /// Tables whose rows the answer depends on.
    pub fn tables_read(&self) -> &[Arc<str>] {
        &self.reads
    }

    /// Tables whose rows it may change, also by cascade.
    pub fn tables_written(&self) -> &[Arc<str>] {
        &self.writes
    }

    /// Parameters that a call brings; for a bulk insert those of each row.
    pub fn params(&self) -> u32 {
        self.params
    }

    /// The main statement's SQL text, for logs and profiles.
    pub fn sql(&self) -> &str {
        match &self.step {
            Step::Select { read, .. } | Step::Scalar { read } => read.long.sql(),
            Step::Execute { statement, .. } | Step::Insert { statement, .. } => statement.sql(),
            Step::Prefetch(tree) => tree.root.sql(),
            Step::Delete(deletion) => match &deletion.first {
                First::Delete(statement) | First::Keys(statement) => statement.sql(),
            },
            Step::GetOrCreate { find, .. } => find.sql(),
        }
    }

    /// True when some parameters make it a read that may run on the thread that asks.
    pub fn may_be_short(&self) -> bool {
        matches!(&self.step, Step::Select { read, .. } | Step::Scalar { read } if read.short.is_some())
    }
}

fn in_row(fault: QueryError, row: usize) -> QueryError {
    match fault {
        QueryError::BadQuery(message) => QueryError::BadQuery(format!("row {row}: {message}")),
        QueryError::Invalid { field, reason } => QueryError::Invalid { field, reason: format!("{reason} (row {row})") },
        other => other,
    }
}
