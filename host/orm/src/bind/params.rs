//! The parameter array of a call, dealt out to the placeholders of a statement.

use std::time::{SystemTime, UNIX_EPOCH};

use covet_db::{Kind as Stored, Param, Value};
use minicbor::decode::Decoder;

use super::value::{self, Code, Refusal};
use super::{compare, json};
use crate::schema::Kind;
use crate::{Dialect, QueryError};

/// Most parameters of one call (rows of a bulk insert are counted apart).
const MAX_PARAMS: u64 = 32_000;

/// What one placeholder of the SQL text is filled with.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    /// Index into the parameters; several slots may read one.
    pub param: u32,
    pub code: Code,
    pub kind: Kind,
    /// Whether null may come here.
    pub nullable: bool,
    /// The field as authors say it, for errors.
    pub label: Box<str>,
}

impl Slot {
    fn fill(&self, dialect: Dialect, decoder: &mut Decoder<'_>) -> Result<Value, QueryError> {
        if value::is_null(decoder) {
            decoder.set_position(decoder.position() + 1);
            return if self.nullable { Ok(Value::Null) } else { Err(self.null_refused()) };
        }
        let value = self.convert(dialect, decoder).map_err(|refusal| self.refused(refusal))?;
        if dialect == Dialect::Postgres {
            held_by_postgres(&self.kind, &value).map_err(|refusal| self.refused(refusal))?;
        }
        Ok(value)
    }

    /// What the placeholder takes.
    fn takes(&self, dialect: Dialect) -> Param {
        let kind = self.kind.storage();
        match &self.code {
            Code::List => Param::list(kind),
            Code::Needle { bytes, .. } => {
                Param::one(if needs_bytes(dialect, *bytes) { Stored::Bytes } else { Stored::Text })
            }
            Code::Pattern { .. } | Code::PrefixLow | Code::PrefixHigh | Code::PrefixPattern => Param::one(Stored::Text),
            Code::Flag => Param::one(Stored::Bool),
            Code::Part | Code::Rows { .. } => Param::one(Stored::Int),
            Code::Constant(Value::Bool(_)) => Param::one(Stored::Bool),
            Code::Constant(Value::Text(_)) => Param::one(Stored::Text),
            Code::Constant(_) => Param::one(Stored::Int),
            Code::Store | Code::Now | Code::Compare(_) | Code::Bound { .. } | Code::YearLow | Code::YearHigh => {
                Param::one(kind)
            }
        }
    }

    fn null_refused(&self) -> QueryError {
        let way_out = match self.code {
            Code::Store => "must not be null",
            Code::Compare(_) => "must not be null here: null is neither equal to nor beyond anything, use isnull",
            _ => "must not be null here",
        };
        QueryError::invalid(&*self.label, way_out)
    }

    fn refused(&self, refusal: Refusal) -> QueryError {
        match refusal {
            Refusal::Misfit(what) => {
                QueryError::bad(format!("parameter {} ({}, {}): {what}", self.param, self.label, self.kind.label()))
            }
            Refusal::Value(reason) => QueryError::invalid(&*self.label, reason),
        }
    }

    fn convert(&self, dialect: Dialect, decoder: &mut Decoder<'_>) -> Result<Value, Refusal> {
        match &self.code {
            Code::Store => value::store(&self.kind, decoder),
            Code::Compare(rounding) => Ok(compare::compare(dialect, &self.kind, *rounding, decoder)?
                .unwrap_or_else(|| compare::unmatched(dialect, &self.kind))),
            Code::List => compare::list(dialect, &self.kind, decoder),
            Code::Bound { second } => compare::bound(dialect, &self.kind, *second, decoder),
            Code::Needle { folded, bytes } => {
                let text = compare::needle(decoder)?;
                let text = match (folded, &self.kind) {
                    (true, _) => fold(text),
                    (false, Kind::Email) => text.to_lowercase(),
                    _ => text.to_owned(),
                };
                Ok(if needs_bytes(dialect, *bytes) { Value::Bytes(text.into_bytes()) } else { Value::Text(text) })
            }
            Code::Pattern { folded } => compare::pattern(*folded, decoder),
            Code::PrefixLow => {
                let prefix = compare::needle(decoder)?;
                Ok(Value::Text(if self.kind == Kind::Email { prefix.to_lowercase() } else { prefix.to_owned() }))
            }
            Code::PrefixHigh => {
                let prefix = compare::needle(decoder)?;
                Ok(if self.kind == Kind::Email {
                    compare::after_prefix(&prefix.to_lowercase())
                } else {
                    compare::after_prefix(prefix)
                })
            }
            Code::PrefixPattern => {
                let prefix = compare::needle(decoder)?;
                let prefix = if self.kind == Kind::Email { prefix.to_lowercase() } else { prefix.to_owned() };
                Ok(Value::Text(compare::prefix_pattern(&prefix)))
            }
            Code::YearLow => Ok(Value::Int(compare::before_year(&self.kind, value::int_item(decoder)?))),
            Code::YearHigh => Ok(Value::Int(compare::end_of_year(&self.kind, value::int_item(decoder)?))),
            Code::Part => Ok(Value::Int(value::int_item(decoder)?)),
            Code::Flag => Ok(Value::Bool(value::bool_item(decoder)?)),
            Code::Rows { most } => {
                let rows = value::int_item(decoder)?;
                if rows < 0 {
                    return Err(Refusal::Value(format!("{rows} is negative: give 0 or more")));
                }
                if rows > *most {
                    return Err(Refusal::Value(format!("{rows} is past the limit of {most}: read in pages")));
                }
                Ok(Value::Int(rows))
            }
            Code::Constant(constant) => Ok(constant.clone()),
            Code::Now => Ok(Value::Int(now())),
        }
    }
}

fn needs_bytes(dialect: Dialect, wished: bool) -> bool {
    match dialect {
        Dialect::Sqlite => wished,
        Dialect::Postgres => false,
        Dialect::MySql => true,
    }
}

/// Cases folded: in lower case, and with one sigma, which in lower case depends on what follows it. Letter by letter, so
/// that a part of a text is also a part of the folded text. Each dialect folds its columns alike.
fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).map(|letter| if letter == 'ς' { 'σ' } else { letter }).collect()
}

/// PostgreSQL has no NUL in text (<https://www.postgresql.org/docs/current/datatype-character.html>), nor in JSON.
fn held_by_postgres(kind: &Kind, value: &Value) -> Result<(), Refusal> {
    match value {
        Value::Text(text) if text.contains('\0') || (*kind == Kind::Json && json::holds_nul(text)) => {
            Err(value::value("contains NUL (U+0000), which PostgreSQL can't hold in text: use a binary field"))
        }
        Value::List(values) => values.iter().try_for_each(|value| held_by_postgres(kind, value)),
        _ => Ok(()),
    }
}

/// All slots of one statement, in the order of its placeholders.
#[derive(Clone, Debug)]
pub(crate) struct Slots {
    dialect: Dialect,
    slots: Box<[Slot]>,
    /// Slot i reads parameter i, so that one pass without look-ahead fills them.
    sequential: bool,
}

impl Slots {
    pub(crate) fn new(dialect: Dialect, slots: Vec<Slot>) -> Slots {
        let sequential = slots.iter().enumerate().all(|(at, slot)| slot.param as usize == at && !slot.code.is_own());
        Slots { dialect, slots: slots.into(), sequential }
    }

    /// What each placeholder takes, for [`covet_db::Statement::typed`].
    pub(crate) fn takes(&self) -> Vec<Param> {
        self.slots.iter().map(|slot| slot.takes(self.dialect)).collect()
    }

    /// The kind of each placeholder's field.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = &Kind> {
        self.slots.iter().map(|slot| &slot.kind)
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Reads a whole call: an array of exactly `count` parameters and nothing after it.
    pub(crate) fn bind(&self, params: &[u8], count: u32) -> Result<Vec<Value>, QueryError> {
        let mut decoder = Decoder::new(params);
        open(&mut decoder, u64::from(count), "parameters")?;
        let values = self.take(&mut decoder, count)?;
        close(&decoder)?;
        Ok(values)
    }

    /// Reads the `count` items that come next.
    pub(crate) fn take(&self, decoder: &mut Decoder<'_>, count: u32) -> Result<Vec<Value>, QueryError> {
        let mut values = Vec::with_capacity(self.slots.len());
        if self.sequential && self.slots.len() == count as usize {
            for slot in &self.slots {
                values.push(slot.fill(self.dialect, decoder)?);
            }
            return Ok(values);
        }
        let items = Items::scan(decoder, count)?;
        items.fill(self, &mut values)?;
        Ok(values)
    }
}

/// Where each parameter of a call begins; for statements that read some twice or out of order.
#[derive(Debug)]
pub(crate) struct Items<'b> {
    input: &'b [u8],
    starts: Vec<usize>,
}

impl<'b> Items<'b> {
    /// Walks over the next `count` items.
    pub(crate) fn scan(decoder: &mut Decoder<'b>, count: u32) -> Result<Items<'b>, QueryError> {
        let input = decoder.input();
        let mut starts = Vec::with_capacity((count as usize).min(input.len()));
        let mut at = decoder.position();
        for index in 0..count {
            starts.push(at);
            at = item_end(input, at, true).ok_or_else(|| {
                QueryError::bad(format!("parameter {index} is not a CBOR scalar or array of scalars"))
            })?;
        }
        decoder.set_position(at);
        Ok(Items { input, starts })
    }

    /// Fills each of `slots` from the item it names.
    pub(crate) fn fill(&self, slots: &Slots, values: &mut Vec<Value>) -> Result<(), QueryError> {
        let mut moment = None;
        for slot in &slots.slots {
            match &slot.code {
                Code::Constant(constant) => {
                    values.push(constant.clone());
                    continue;
                }
                Code::Now => {
                    values.push(Value::Int(*moment.get_or_insert_with(now)));
                    continue;
                }
                _ => {}
            }
            let Some(start) = self.starts.get(slot.param as usize) else {
                return Err(QueryError::bad(format!("parameter {} is missing", slot.param)));
            };
            let mut decoder = Decoder::new(self.input);
            decoder.set_position(*start);
            values.push(slot.fill(slots.dialect, &mut decoder)?);
        }
        Ok(())
    }
}

/// Microseconds since 1970, by this host's clock.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Reads the head of an array that must have `count` items.
pub(crate) fn open(decoder: &mut Decoder<'_>, count: u64, what: &str) -> Result<(), QueryError> {
    match decoder.array() {
        Ok(Some(got)) if got == count && got <= MAX_PARAMS => Ok(()),
        Ok(Some(got)) => Err(QueryError::bad(format!("{count} {what} are due, {got} came"))),
        Ok(None) => Err(QueryError::bad(format!("{what}: the array must be of definite length"))),
        Err(_) => Err(QueryError::bad(format!("{what} are not a CBOR array"))),
    }
}

/// Checks that nothing follows.
pub(crate) fn close(decoder: &Decoder<'_>) -> Result<(), QueryError> {
    let left = decoder.input().len().saturating_sub(decoder.position());
    if left == 0 { Ok(()) } else { Err(QueryError::bad(format!("{left} bytes follow the parameters"))) }
}

/// Where the item at `at` ends. Arrays may hold scalars only; tags, maps and indefinite lengths have no end here.
fn item_end(input: &[u8], at: usize, arrays: bool) -> Option<usize> {
    let head = *input.get(at)?;
    let (argument, after) = match head & 0x1f {
        small @ 0..=23 => (u64::from(small), at + 1),
        size @ 24..=27 => {
            let length = 1_usize << (size - 24);
            let bytes = input.get(at + 1..at + 1 + length)?;
            (bytes.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte)), at + 1 + length)
        }
        _ => return None,
    };
    match head >> 5 {
        0 | 1 | 7 => Some(after),
        2 | 3 => {
            let end = after.checked_add(usize::try_from(argument).ok()?)?;
            (end <= input.len()).then_some(end)
        }
        4 if arrays => {
            let mut at = after;
            for _ in 0..argument {
                at = item_end(input, at, false)?;
            }
            Some(at)
        }
        _ => None,
    }
}
