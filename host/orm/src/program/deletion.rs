//! A deletion, step by step: first all keys of what goes along are gathered and every rule that forbids it is asked, and only
//! then rows are changed, children before their parents.

use std::collections::{BTreeMap, HashSet, VecDeque};

use covet_db::{DbError, Value, Work};
use minicbor::{Decoder, Encoder};

use super::{Runner, column};
use crate::QueryError;
use crate::bind::MAX_LIST;
use crate::plan::{Deletion, Edge, First, Part, Rule};

/// Most rows whose keys one deletion gathers.
pub const MAX_DELETED: u64 = 1_000_000;

impl Deletion {
    /// True when it is one statement, which is atomic by itself.
    pub(super) fn is_one(&self) -> bool {
        matches!(self.first, First::Delete(_))
    }
}

/// Answers with pairs of model and count: the model itself first, then those that lost rows by cascade.
pub(super) async fn run(deletion: &Deletion, params: Vec<Value>, runner: &Runner<'_>) -> Result<Vec<u8>, QueryError> {
    let root = deletion.part(deletion.root)?;
    match &deletion.first {
        First::Delete(statement) => {
            let gone = int(&runner.run(Work::Execute { statement: statement.clone(), params }).await?)?;
            answer(root, &[(root.model.as_str(), gone)])
        }
        First::Keys(statement) => {
            let work = Work::Query { statement: statement.clone(), params, max_rows: MAX_DELETED };
            let keys = column(&root.key, &runner.run(work).await?)?;
            let mut gathered = Gathered::default();
            gathered.add(deletion.root, keys)?;
            gather(deletion, &mut gathered, runner).await?;
            let counts = change(deletion, gathered, runner).await?;
            let counts: Vec<(&str, u64)> = counts
                .iter()
                .filter_map(|(part, count)| Some((deletion.parts.get(*part)?.model.as_str(), *count)))
                .collect();
            answer(root, &counts)
        }
    }
}

impl Deletion {
    fn part(&self, at: usize) -> Result<&Part, QueryError> {
        self.parts.get(at).ok_or_else(|| QueryError::bad("a model left the deletion"))
    }
}

/// What is known so far.
#[derive(Default)]
struct Gathered<'d> {
    keys: BTreeMap<usize, Vec<Value>>,
    seen: HashSet<(usize, Box<str>)>,
    /// Keys whose relations have not been followed.
    left: VecDeque<(usize, Vec<Value>)>,
    /// Rows that point to keys, and what becomes of them.
    rest: Vec<(&'d Edge, Vec<Value>)>,
    restricted: Vec<(&'d Edge, Option<usize>, Vec<Value>)>,
}

impl Gathered<'_> {
    /// Adds keys of a part; those that are new wait to be followed.
    fn add(&mut self, part: usize, keys: Vec<Value>) -> Result<(), QueryError> {
        let new: Vec<Value> = keys.into_iter().filter(|key| self.seen.insert((part, name(key)))).collect();
        if self.seen.len() as u64 > MAX_DELETED {
            return Err(QueryError::TooLarge(format!(
                "the deletion takes more than {MAX_DELETED} rows along: delete in smaller portions"
            )));
        }
        if !new.is_empty() {
            self.keys.entry(part).or_default().extend(new.iter().cloned());
            self.left.extend(new.chunks(MAX_LIST).map(|chunk| (part, chunk.to_vec())));
        }
        Ok(())
    }
}

/// A key as text, to tell keys of one kind apart: values hold floats, which do not hash.
fn name(key: &Value) -> Box<str> {
    format!("{key:?}").into()
}

/// Follows every relation from every key, and asks the rules that forbid.
async fn gather<'d>(
    deletion: &'d Deletion,
    gathered: &mut Gathered<'d>,
    runner: &Runner<'_>,
) -> Result<(), QueryError> {
    while let Some((at, keys)) = gathered.left.pop_front() {
        for edge in &deletion.part(at)?.edges {
            let list = || vec![Value::List(keys.clone())];
            match &edge.rule {
                Rule::Cascade { part, keys } => {
                    let work = Work::Query { statement: keys.clone(), params: list(), max_rows: MAX_DELETED };
                    let kind = &deletion.part(*part)?.key;
                    gathered.add(*part, column(kind, &runner.run(work).await?)?)?;
                }
                Rule::Protect { count } => {
                    let work = Work::Scalar { statement: count.clone(), params: list() };
                    let rows = int(&runner.run(work).await?)?;
                    if rows > 0 {
                        return Err(protected(edge, rows));
                    }
                }
                Rule::Restrict { part, key, keys } => {
                    let work = Work::Query { statement: keys.clone(), params: list(), max_rows: MAX_DELETED };
                    let rows = column(key, &runner.run(work).await?)?;
                    gathered.restricted.push((edge, *part, rows));
                }
                Rule::CascadeLast { .. } | Rule::Set { .. } => gathered.rest.push((edge, keys.clone())),
            }
        }
    }
    for (edge, part, rows) in &gathered.restricted {
        let stays = |row: &&Value| part.is_none_or(|part| !gathered.seen.contains(&(part, name(row))));
        let staying = rows.iter().filter(stays).count() as u64;
        if staying > 0 {
            return Err(protected(edge, staying));
        }
    }
    Ok(())
}

fn protected(edge: &Edge, rows: u64) -> QueryError {
    let Edge { label, model, .. } = edge;
    let (rows, point) = if rows == 1 { ("1 row".to_owned(), "points") } else { (format!("{rows} rows"), "point") };
    QueryError::Db(DbError::ForeignKeyViolation(format!(
        "{label}: {rows} of {model} {point} to what was to be deleted; delete or change those first"
    )))
}

/// Changes the rows. Answers with the rows deleted of each part.
async fn change(
    deletion: &Deletion,
    gathered: Gathered<'_>,
    runner: &Runner<'_>,
) -> Result<BTreeMap<usize, u64>, QueryError> {
    let mut counts = BTreeMap::new();
    // What hangs on the rows goes before them, so that the database finds nothing left to do.
    for (edge, keys) in gathered.rest {
        match &edge.rule {
            Rule::Set { update, value } => {
                let params = vec![value.clone(), Value::List(keys)];
                runner.run(Work::Execute { statement: update.clone(), params }).await?;
            }
            Rule::CascadeLast { part, delete } => {
                let params = vec![Value::List(keys)];
                let gone = int(&runner.run(Work::Execute { statement: delete.clone(), params }).await?)?;
                *counts.entry(*part).or_default() += gone;
            }
            Rule::Cascade { .. } | Rule::Protect { .. } | Rule::Restrict { .. } => {}
        }
    }
    for (at, keys) in gathered.keys.iter().rev() {
        let part = deletion.part(*at)?;
        // Rows that were found later point to those found before, where a model points to itself.
        for chunk in keys.rchunks(MAX_LIST) {
            let params = vec![Value::List(chunk.to_vec())];
            runner.run(Work::Execute { statement: part.delete.clone(), params }).await?;
        }
        // Counted as found: the database may have taken some along with others.
        *counts.entry(*at).or_default() += keys.len() as u64;
    }
    Ok(counts)
}

fn int(answer: &[u8]) -> Result<u64, QueryError> {
    Decoder::new(answer).u64().map_err(|_| QueryError::bad("the database's answer is no count"))
}

fn answer(root: &Part, counts: &[(&str, u64)]) -> Result<Vec<u8>, QueryError> {
    let own = counts.iter().filter(|(model, _)| *model == root.model).map(|(_, count)| count).sum();
    let others: Vec<_> = counts.iter().filter(|(model, count)| *model != root.model && *count > 0).collect();
    let mut encoder = Encoder::new(Vec::with_capacity(32));
    let written = (|| {
        encoder.array(1 + others.len() as u64)?.array(2)?.str(&root.model)?.u64(own)?;
        for (model, count) in others {
            encoder.array(2)?.str(model)?.u64(*count)?;
        }
        Ok::<_, minicbor::encode::Error<std::convert::Infallible>>(())
    })();
    // Writing to memory does not fail.
    written.map(|()| encoder.into_writer()).map_err(|fault| QueryError::bad(fault.to_string()))
}
