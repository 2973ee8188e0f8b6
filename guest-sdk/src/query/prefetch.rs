//! `prefetch_related`: what goes to the host as a list of levels, and how the graph that comes back finds its places.

use std::fmt;
use std::rc::Rc;

use minicbor::Decoder;

use super::set::{QuerySet, row};
use super::shape::Level;
use crate::model::related::fill;
use crate::model::{Keeps, Many, Model};
use crate::wire::{Array, DecodeError};
use crate::{Error, Result};

type Attach<M> = dyn Fn(&mut M, &mut Decoder<'_>) -> Result<(), DecodeError>;

/// Rows that [`prefetch_related`](QuerySet::prefetch_related) is to fetch along with those of `M`. Made by
/// [`Many::with`](crate::model::Many::with), or of the relation alone.
pub struct Prefetch<M> {
    /// This level first, then those below it; `parent` counts from here.
    levels: Vec<(Level, Array)>,
    attach: Rc<Attach<M>>,
    /// What the query cannot do as a part of another.
    refused: Option<&'static str>,
}

impl<M> Clone for Prefetch<M> {
    fn clone(&self) -> Self {
        Prefetch { levels: self.levels.clone(), attach: self.attach.clone(), refused: self.refused }
    }
}
impl<M> fmt::Debug for Prefetch<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.levels.iter().map(|(level, _)| level.link.steps())).finish()
    }
}

impl<M: Model> Prefetch<M> {
    pub(crate) fn of<T: Model, const NAME: u64>(many: Many<M, T, NAME>, rows: QuerySet<T>) -> Self
    where
        M: Keeps<NAME, Row = T>,
    {
        let refused = rows.refused_below().or_else(|| rows.prefetch.iter().find_map(|below| below.refused));
        let related = rows.related.clone();
        let below = rows.prefetch.clone();
        let (level, params) = rows.into_level(many.link());
        let mut levels = vec![(level, params)];
        below.iter().for_each(|below| append(&mut levels, Some(0), below.levels.clone()));
        let attach = move |owner: &mut M, d: &mut Decoder<'_>| fill::<M, NAME>(owner, d, &|d| row(d, &related, &below));
        Prefetch { levels, attach: Rc::new(attach), refused }
    }

    #[inline]
    pub(super) fn attach(&self, row: &mut M, d: &mut Decoder<'_>) -> Result<(), DecodeError> {
        (self.attach)(row, d)
    }
}

/// Adds levels that were counted from 0, below `parent`.
fn append(levels: &mut Vec<(Level, Array)>, parent: Option<u32>, more: Vec<(Level, Array)>) {
    let offset = levels.len() as u32;
    levels.extend(more.into_iter().map(|(level, params)| {
        let parent = level.parent.map_or(parent, |parent| Some(parent + offset));
        (Level { parent, ..level }, params)
    }));
}

/// All levels of a query, and their parameters behind its own.
pub(super) fn levels<M>(prefetch: &[Prefetch<M>], params: &mut Array) -> Result<Vec<Level>> {
    if let Some(why) = prefetch.iter().find_map(|prefetch| prefetch.refused) {
        return Err(Error::BadQuery(format!("prefetch_related: {why}")));
    }
    let mut all = Vec::new();
    prefetch.iter().for_each(|prefetch| append(&mut all, None, prefetch.levels.clone()));
    Ok(all
        .into_iter()
        .map(|(level, own)| {
            params.item().extend(own.finish());
            level
        })
        .collect())
}

/// What `prefetch_related` takes: a relation to many, `relation.with(query)`, or a tuple of these.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no relation from `{M}` to many rows",
    label = "expected `{M}::relation()` or `{M}::relation().with(query)`, or a tuple of these",
    note = "a relation to one row is fetched with `select_related`"
)]
pub trait Prefetches<M> {
    #[doc(hidden)]
    fn each(self, each: &mut dyn FnMut(Prefetch<M>));
}
impl<M> Prefetches<M> for Prefetch<M> {
    fn each(self, each: &mut dyn FnMut(Prefetch<M>)) {
        each(self);
    }
}
impl<M: Keeps<NAME, Row = T>, T: Model, const NAME: u64> Prefetches<M> for Many<M, T, NAME> {
    fn each(self, each: &mut dyn FnMut(Prefetch<M>)) {
        each(Prefetch::of(self, T::objects()));
    }
}

macro_rules! tuples {
    ($(($($name:ident)+))*) => {$(
        impl<M, $($name: Prefetches<M>),+> Prefetches<M> for ($($name,)+) {
            fn each(self, each: &mut dyn FnMut(Prefetch<M>)) {
                #[allow(non_snake_case)]
                let ($($name,)+) = self;
                $($name.each(each);)+
            }
        }
    )*};
}
tuples! { (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) }
