//! Storing: create, save, update, get-or-create.

use minicbor::Decoder;
use smallvec::SmallVec;

use super::column::{Assignment, Column, SetValue};
use super::deleted::Deleted;
use super::expr::{Condition, key_is};
use super::plan::run;
use super::set::{QuerySet, row};
use super::shape::{Change, Path, Shape, Verb, assigned, flag};
use super::transaction::Tx;
use crate::model::{Field, Key as _, Model};
use crate::wire::{Array, array, null, put};
use crate::{Error, Result};

/// Most rows in one crossing of `bulk_create`; more go in several, inside one transaction if there is one around.
pub(crate) const BULK_ROWS: usize = 1_000;

type Words = SmallVec<[u64; 16]>;

/// The fields of an insert: all but a key that the database is to number.
fn stored_fields<M: Model>(with_key: bool) -> Words {
    let meta = M::meta();
    (0..meta.fields.len() as u8)
        .filter(|field| with_key || *field != meta.key)
        .map(|field| Path::field(field).word())
        .collect()
}

/// Numbered by the database, and not numbered yet.
fn wants_number<M: Model>(row: &M) -> bool {
    M::meta().key_field().auto && !row.key().is_set()
}

fn prepare<M: Model>(row: &mut M, new: bool) -> Result<()> {
    row.touch(new);
    row.full_clean()
}

/// The values of a row, in the order of its fields.
fn encode_row<M: Model>(row: &M, fields: &[u64], mut item: impl FnMut(u8)) {
    let _ = row;
    for word in fields {
        item(Path::of_word(*word).steps()[0]);
    }
}

async fn insert<M: Model>(row: &mut M, tx: Option<&Tx>) -> Result<()> {
    row.pre_save(true).await?;
    store(row, tx).await?;
    row.post_save(true).await
}

/// Stores a new row.
async fn store<M: Model>(row: &mut M, tx: Option<&Tx>) -> Result<()> {
    prepare(row, true)?;
    let numbered = wants_number(row);
    let fields = stored_fields::<M>(!numbered);
    let mut params = Array::new();
    encode_row(row, &fields, |field| row.encode_field(field, params.item()));
    let shape = Shape::new(M::meta(), Verb::Insert, 0, &[], &[], &[], &fields);
    let bytes = run(shape, params, tx).await?;
    if numbered {
        let mut d = Decoder::new(&bytes);
        array(&mut d)?;
        row.set_key(M::Key::decode(&mut d)?);
    }
    Ok(())
}

/// Rows matched.
async fn update_fields<M: Model>(row: &M, fields: &[u64], tx: Option<&Tx>) -> Result<u64> {
    let filter = key_is::<M>(row.key());
    let mut params = filter.params;
    let assignments: Words = fields.iter().map(|word| assigned(Path::of_word(*word), Change::Set)).collect();
    encode_row(row, fields, |field| row.encode_field(field, params.item()));
    let shape = Shape::new(M::meta(), Verb::Update, 0, &filter.words, &assignments, &[], &[]);
    let bytes = run(shape, params, tx).await?;
    Ok(Decoder::new(&bytes).u64()?)
}

pub(crate) async fn save<M: Model>(row: &mut M, tx: Option<&Tx>) -> Result<()> {
    if wants_number(row) {
        return insert(row, tx).await;
    }
    row.pre_save(false).await?;
    prepare(row, false)?;
    let fields = stored_fields::<M>(false);
    let matched = if fields.is_empty() { 0 } else { update_fields(row, &fields, tx).await? };
    if matched == 0 {
        if M::meta().key_field().auto {
            return Err(Error::NotFound(M::meta().name.into()));
        }
        store(row, tx).await?;
    }
    row.post_save(matched == 0).await
}

pub(crate) async fn save_fields<M: Model>(row: &mut M, list: impl FieldList<M>, tx: Option<&Tx>) -> Result<()> {
    row.pre_save(false).await?;
    prepare(row, false)?;
    let meta = M::meta();
    let mut fields = Words::new();
    list.each(&mut fields);
    for (index, field) in meta.fields.iter().enumerate() {
        let word = Path::field(index as u8).word();
        if field.auto_now && !fields.contains(&word) {
            fields.push(word);
        }
    }
    if let Some(word) = fields.iter().find(|word| Path::of_word(**word).parent().is_some()) {
        let path = Path::of_word(*word).describe(meta);
        return Err(Error::BadQuery(format!("save_fields stores fields of {} itself, not {path}", meta.name)));
    }
    match update_fields(row, &fields, tx).await? {
        0 => Err(Error::NotFound(meta.name.into())),
        _ => row.post_save(false).await,
    }
}

pub(crate) async fn delete<M: Model>(row: &M, tx: Option<&Tx>) -> Result<Deleted> {
    row.pre_delete().await?;
    let filter = key_is::<M>(row.key());
    let shape = Shape::new(M::meta(), Verb::Delete, 0, &filter.words, &[], &[], &[]);
    let deleted = Deleted::read(&run(shape, filter.params, tx).await?)?;
    row.post_delete().await?;
    Ok(deleted)
}

/// For `#[field(default = …)]`: a constant as one CBOR item.
pub(crate) fn encode_default<T: Field>(value: impl SetValue<T>) -> Vec<u8> {
    let mut out = Vec::new();
    value.write(&mut out);
    out
}

impl<M: Model> QuerySet<M> {
    /// Stores a new row and returns it with its key and its `auto_now` fields filled.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a value that its field refuses, violations of constraints, those of any query.
    pub async fn create(self, mut row: M) -> Result<M> {
        insert(&mut row, self.tx.as_ref()).await?;
        Ok(row)
    }

    /// [`Model::save`], inside the transaction of [`using`](QuerySet::using).
    ///
    /// # Errors
    /// As there.
    pub async fn save(self, row: &mut M) -> Result<()> {
        save(row, self.tx.as_ref()).await
    }

    /// Stores many new rows at once and returns their keys in the same order. All or none up to 1,000 rows; past that,
    /// put a transaction around it to have the same.
    ///
    /// # Errors
    /// As [`create`](QuerySet::create).
    pub async fn bulk_create(self, rows: impl IntoIterator<Item = M>) -> Result<Vec<M::Key>> {
        let keys = self.bulk(rows, 0).await?;
        Ok(keys.into_iter().flatten().collect())
    }

    /// As [`bulk_create`](QuerySet::bulk_create); a row that violates a unique constraint is left out and has `None`
    /// in the result.
    ///
    /// # Errors
    /// As [`create`](QuerySet::create), without unique violations.
    pub async fn bulk_create_ignoring_conflicts(
        self,
        rows: impl IntoIterator<Item = M>,
    ) -> Result<Vec<Option<M::Key>>> {
        self.bulk(rows, flag::IGNORE_CONFLICTS).await
    }

    async fn bulk(self, rows: impl IntoIterator<Item = M>, flags: u8) -> Result<Vec<Option<M::Key>>> {
        let mut rows = rows.into_iter().peekable();
        let mut keys = Vec::with_capacity(rows.size_hint().0);
        let Some(first) = rows.peek() else {
            return Ok(keys);
        };
        let numbered = wants_number(first);
        let fields = stored_fields::<M>(!numbered);
        while rows.peek().is_some() {
            let mut params = Array::new();
            for mut row in rows.by_ref().take(BULK_ROWS) {
                prepare(&mut row, true)?;
                if wants_number(&row) != numbered {
                    return Err(Error::BadQuery(format!(
                        "bulk_create: either all or none of the {} rows may have an id",
                        M::meta().name
                    )));
                }
                let out = params.item();
                let _ = put(out).array(fields.len() as u64);
                encode_row(&row, &fields, |field| row.encode_field(field, out));
            }
            let shape = Shape::new(M::meta(), Verb::Insert, flags | flag::MANY, &[], &[], &[], &fields);
            let bytes = run(shape, params, self.tx.as_ref()).await?;
            let mut d = Decoder::new(&bytes);
            for _ in 0..array(&mut d)? {
                keys.push(if null(&mut d)? { None } else { Some(M::Key::decode(&mut d)?) });
            }
        }
        Ok(keys)
    }

    /// The row that meets the condition (and those before), or else `new`, stored. True: it was created. One crossing;
    /// of two that try the same at once one creates and the other finds, given a unique constraint on what is matched.
    ///
    /// ```
    /// # use covet::prelude::*;
    /// # #[derive(Model)] struct Tag { id: Id<Tag>, #[field(unique)] name: String }
    /// # async fn f() -> Result<()> {
    /// let (tag, created) = Tag::objects()
    ///     .get_or_create(Tag::name().eq("wasm"), Tag { id: Id::unsaved(), name: "wasm".into() })
    ///     .await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`create`](QuerySet::create); [`Error::BadQuery`] when the condition matches more than one row.
    pub async fn get_or_create(self, condition: impl Condition<M>, mut new: M) -> Result<(M, bool)> {
        new.pre_save(true).await?;
        prepare(&mut new, true)?;
        let QuerySet { filter, mut params, tx, .. } = self.filter(condition);
        let fields = stored_fields::<M>(!wants_number(&new));
        encode_row(&new, &fields, |field| new.encode_field(field, params.item()));
        let shape = Shape::new(M::meta(), Verb::GetOrCreate, 0, &filter, &[], &[], &fields);
        let bytes = run(shape, params, tx.as_ref()).await?;
        let mut d = Decoder::new(&bytes);
        array(&mut d)?;
        let created = d.bool()?;
        let mut row: M = row(&mut d, &[], &[])?;
        if created {
            row.post_save(true).await?;
        }
        Ok((row, created))
    }

    /// Changes all rows in one statement: `update(Post::views().add(1))`, or several changes as a tuple or an array.
    /// Returns how many rows matched. `auto_now` fields are left as they are.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a value that its field refuses, violations of constraints, those of any query.
    pub async fn update(self, changes: impl Assignments<M>) -> Result<u64> {
        self.whole("update")?;
        let mut params = self.params;
        let mut words = Words::new();
        changes.each(&mut |change| {
            words.push(change.word);
            params.append(change.params);
        });
        let shape = Shape::new(M::meta(), Verb::Update, 0, &self.filter, &words, &[], &[]);
        let bytes = run(shape, params, self.tx.as_ref()).await?;
        Ok(Decoder::new(&bytes).u64()?)
    }
}

/// What `update` takes: an assignment, or a tuple, an array or a vector of them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no change of `{M}`",
    label = "expected `column.set(value)`, `column.add(value)`, …, or a tuple of these",
    note = "write `.update({M}::column().set(value))`"
)]
pub trait Assignments<M> {
    #[doc(hidden)]
    fn each(self, each: &mut dyn FnMut(Assignment<M>));
}
impl<M> Assignments<M> for Assignment<M> {
    fn each(self, each: &mut dyn FnMut(Assignment<M>)) {
        each(self);
    }
}
impl<M, const N: usize> Assignments<M> for [Assignment<M>; N] {
    fn each(self, each: &mut dyn FnMut(Assignment<M>)) {
        self.into_iter().for_each(each);
    }
}
impl<M> Assignments<M> for Vec<Assignment<M>> {
    fn each(self, each: &mut dyn FnMut(Assignment<M>)) {
        self.into_iter().for_each(each);
    }
}

/// What `save_fields` takes: a column, or a tuple of them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no list of columns of `{M}`",
    label = "expected a column of `{M}`, or a tuple of these"
)]
pub trait FieldList<M> {
    #[doc(hidden)]
    fn each(&self, words: &mut SmallVec<[u64; 16]>);
}
impl<M, T> FieldList<M> for Column<M, T> {
    fn each(&self, words: &mut SmallVec<[u64; 16]>) {
        words.push(self.path.word());
    }
}

macro_rules! tuples {
    ($(($($name:ident)+))*) => {$(
        impl<M, $($name: Assignments<M>),+> Assignments<M> for ($($name,)+) {
            fn each(self, each: &mut dyn FnMut(Assignment<M>)) {
                #[allow(non_snake_case)]
                let ($($name,)+) = self;
                $($name.each(each);)+
            }
        }
        impl<M, $($name: FieldList<M>),+> FieldList<M> for ($($name,)+) {
            fn each(&self, words: &mut SmallVec<[u64; 16]>) {
                #[allow(non_snake_case)]
                let ($($name,)+) = self;
                $($name.each(words);)+
            }
        }
    )*};
}
tuples! { (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) (A B C D E F G) (A B C D E F G H) }
