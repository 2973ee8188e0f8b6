//! A select with its levels: one query for each level (and each 10,000 rows of its parents), and one answer of them all.
//!
//! Rows stay the bytes that the driver wrote. Keys are told apart as bytes too: a key and the relations that point to it are of
//! one kind, and the driver writes equal values of one kind alike.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use minicbor::{Decoder, Encoder};

use super::Runner;
use crate::QueryError;
use crate::bind::MAX_LIST;
use crate::plan::{Level, Tree};

/// The parameters of one call: of the root, as a whole array; of each level, its items alone.
#[derive(Debug)]
pub(super) struct Params {
    root: Vec<u8>,
    levels: Vec<Vec<u8>>,
    /// Most rows for each row of the parent level.
    limits: Vec<Option<u64>>,
}

impl Params {
    pub(super) fn split(tree: &Tree, params: &[u8]) -> Result<Params, QueryError> {
        let torn = |_| QueryError::bad("the parameters are not CBOR");
        let mut decoder = Decoder::new(params);
        let due = u64::from(tree.root.params()) + tree.levels.len() as u64;
        crate::bind::open(&mut decoder, due, "parameters")?;
        let from = decoder.position();
        for _ in 0..tree.root.params() {
            decoder.skip().map_err(torn)?;
        }
        let root = array(u64::from(tree.root.params()), &[slice(params, from..decoder.position())?])?;
        let mut levels = Vec::with_capacity(tree.levels.len());
        let mut limits = Vec::with_capacity(tree.levels.len());
        for level in &tree.levels {
            crate::bind::open(&mut decoder, u64::from(level.params), "parameters of a level")?;
            let from = decoder.position();
            let mut limit = None;
            let mut end = from;
            for at in 0..level.params as usize {
                if level.limit == Some(at) {
                    limit = Some(decoder.u64().map_err(|_| {
                        QueryError::invalid("limit", "must be an int, 0 or more, for each row of the parent level")
                    })?);
                } else {
                    decoder.skip().map_err(torn)?;
                    end = decoder.position();
                }
            }
            levels.push(slice(params, from..end)?.to_vec());
            limits.push(limit);
        }
        crate::bind::close(&decoder)?;
        Ok(Params { root, levels, limits })
    }
}

pub(super) async fn run(tree: &Tree, params: &Params, runner: &Runner<'_>) -> Result<Vec<u8>, QueryError> {
    let answer = runner.run(tree.root.bind(&params.root)?).await?;
    let mut tables = vec![Table::of_root(tree.key, answer)?];
    for (at, level) in tree.levels.iter().enumerate() {
        let table = fetch(at, level, params, &tables, runner).await?;
        tables.push(table);
    }
    Ok(assemble(tree, &tables))
}

/// The rows of one level.
#[derive(Default)]
struct Table {
    answers: Vec<Vec<u8>>,
    rows: Vec<Row>,
    /// Rows by whom they belong to, in their order.
    owned: HashMap<Box<[u8]>, Vec<usize>>,
}

struct Row {
    answer: usize,
    /// The values within the answer, without the head of their array.
    values: Range<usize>,
    count: u64,
    key: Range<usize>,
}

impl Table {
    fn of_root(key: usize, answer: Vec<u8>) -> Result<Table, QueryError> {
        let mut table = Table::default();
        let mut decoder = Decoder::new(&answer);
        for _ in 0..head(&mut decoder)? {
            let count = head(&mut decoder)?;
            let (values, marks) = items(&mut decoder, count)?;
            table.rows.push(Row { answer: 0, values, count, key: mark(&marks, key)? });
        }
        table.answers.push(answer);
        Ok(table)
    }

    /// Adds the rows of one query of a level.
    fn add(&mut self, level: &Level, limit: Option<u64>, answer: Vec<u8>) -> Result<(), QueryError> {
        let mut decoder = Decoder::new(&answer);
        for _ in 0..head(&mut decoder)? {
            let count = head(&mut decoder)?;
            let from = decoder.position();
            let (whole, marks) = items(&mut decoder, count)?;
            let owner: Box<[u8]> = slice(&answer, mark(&marks, level.owner)?)?.into();
            let owned = self.owned.entry(owner).or_default();
            if limit.is_some_and(|limit| owned.len() as u64 >= limit) {
                continue;
            }
            let row = match level.within {
                None => Row { answer: self.answers.len(), values: whole, count, key: mark(&marks, level.key)? },
                Some(at) => {
                    // The model's own values become the row's; those of related models follow them already.
                    let mut inner = Decoder::new(&answer);
                    inner.set_position(mark(&marks, at)?.start.max(from));
                    let Ok(Some(own)) = inner.array() else {
                        // The table between points to nothing.
                        continue;
                    };
                    let start = inner.position();
                    let (_, marks) = items(&mut inner, own)?;
                    let behind = count.saturating_sub(at as u64 + 1);
                    Row {
                        answer: self.answers.len(),
                        values: start..whole.end,
                        count: own + behind,
                        key: mark(&marks, level.key)?,
                    }
                }
            };
            owned.push(self.rows.len());
            self.rows.push(row);
        }
        self.answers.push(answer);
        Ok(())
    }

    fn bytes(&self, row: &Row, range: &Range<usize>) -> &[u8] {
        self.answers.get(row.answer).and_then(|answer| answer.get(range.clone())).unwrap_or_default()
    }
}

async fn fetch(
    at: usize,
    level: &Level,
    params: &Params,
    tables: &[Table],
    runner: &Runner<'_>,
) -> Result<Table, QueryError> {
    let parents = tables.get(level.parent.map_or(0, |parent| parent + 1));
    let parents = parents.ok_or_else(|| QueryError::bad("a level left the query"))?;
    let mut seen = HashSet::new();
    let keys: Vec<&[u8]> =
        parents.rows.iter().map(|row| parents.bytes(row, &row.key)).filter(|key| seen.insert(*key)).collect();
    let own = params.levels.get(at).map(Vec::as_slice).unwrap_or_default();
    let limit = params.limits.get(at).copied().flatten();
    let own_count = u64::from(level.params) - u64::from(level.limit.is_some());
    let mut table = Table::default();
    for chunk in keys.chunks(MAX_LIST) {
        let list = array(chunk.len() as u64, chunk)?;
        let bound = level.plan.bind(&array(own_count + 1, &[own, &list])?)?;
        table.add(level, limit, runner.run(bound).await.map_err(|fault| named(level, fault.into()))?)?;
    }
    Ok(table)
}

/// A fault of a level, with the level named: the select of the guest is another one.
fn named(level: &Level, fault: QueryError) -> QueryError {
    match fault {
        QueryError::Db(covet_db::DbError::TooLarge(why)) => {
            QueryError::TooLarge(format!("prefetch of {}: {why}; or limit it for each row", level.model))
        }
        other => other,
    }
}

/// Writes every row with what belongs to it.
fn assemble(tree: &Tree, tables: &[Table]) -> Vec<u8> {
    let bytes: usize = tables.iter().flat_map(|table| &table.answers).map(Vec::len).sum();
    let mut out = Encoder::new(Vec::with_capacity(bytes + 16));
    if let Some(root) = tables.first() {
        let all: Vec<usize> = (0..root.rows.len()).collect();
        rows(tree, tables, None, &all, &mut out);
    }
    out.into_writer()
}

/// Recursion is bounded by the levels, at most [`crate::plan::MAX_LEVELS`].
fn rows(tree: &Tree, tables: &[Table], level: Option<usize>, which: &[usize], out: &mut Encoder<Vec<u8>>) {
    let Some(table) = tables.get(level.map_or(0, |level| level + 1)) else {
        return;
    };
    let children: Vec<usize> =
        tree.levels.iter().enumerate().filter(|(_, child)| child.parent == level).map(|(at, _)| at).collect();
    // Writing to memory does not fail.
    let _ = out.array(which.len() as u64);
    for row in which.iter().filter_map(|at| table.rows.get(*at)) {
        let _ = out.array(row.count + children.len() as u64);
        out.writer_mut().extend_from_slice(table.bytes(row, &row.values));
        let key = table.bytes(row, &row.key);
        for child in &children {
            let owned = tables.get(child + 1).and_then(|table| table.owned.get(key)).map(Vec::as_slice);
            rows(tree, tables, Some(*child), owned.unwrap_or_default(), out);
        }
    }
}

fn torn() -> QueryError {
    QueryError::bad("the database's answer is not of the form that was planned")
}

fn head(decoder: &mut Decoder<'_>) -> Result<u64, QueryError> {
    decoder.array().ok().flatten().ok_or_else(torn)
}

/// Walks over `count` items: where they lie as a whole, and each of them.
fn items(decoder: &mut Decoder<'_>, count: u64) -> Result<(Range<usize>, Vec<Range<usize>>), QueryError> {
    let from = decoder.position();
    let mut marks = Vec::new();
    for _ in 0..count {
        let start = decoder.position();
        decoder.skip().map_err(|_| torn())?;
        marks.push(start..decoder.position());
    }
    Ok((from..decoder.position(), marks))
}

fn mark(marks: &[Range<usize>], at: usize) -> Result<Range<usize>, QueryError> {
    marks.get(at).cloned().ok_or_else(torn)
}

fn slice(bytes: &[u8], range: Range<usize>) -> Result<&[u8], QueryError> {
    bytes.get(range).ok_or_else(torn)
}

/// An array of items that are bytes already.
fn array(count: u64, items: &[&[u8]]) -> Result<Vec<u8>, QueryError> {
    let mut encoder = Encoder::new(Vec::with_capacity(9 + items.iter().map(|item| item.len()).sum::<usize>()));
    encoder.array(count).map_err(|_| torn())?;
    let mut bytes = encoder.into_writer();
    items.iter().for_each(|item| bytes.extend_from_slice(item));
    Ok(bytes)
}
