//! Conditions, and what may stand on their right-hand side.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{BitAnd, BitOr, Not};

use super::column::{Column, SameAs};
use super::shape::{Lookup, Path, Words, all_of, any_of, compare, negate};
use crate::model::{Binary, Email, Field, ForeignKey, Id, Model, Scalar, Url};
use crate::wire::{Array, put};

/// A condition on rows of `M`. Combine with `&`, `|` and `!`.
///
/// As in Django, a negation also matches rows where the field is null.
///
/// ```
/// # use covet::prelude::*;
/// # #[derive(Model)] struct Post { id: Id<Post>, title: String, views: i64, draft: bool }
/// let shown = !Post::draft().eq(true) & (Post::views().gt(10) | Post::title().startswith("News"));
/// # let _ = Post::objects().filter(shown);
/// ```
pub struct Expr<M> {
    pub(crate) words: Words,
    pub(crate) params: Array,
    of: PhantomData<fn() -> M>,
}

impl<M> Expr<M> {
    pub(crate) fn empty() -> Self {
        Expr { words: Words::new(), params: Array::new(), of: PhantomData }
    }

    /// A column that equals what `value` writes.
    pub(crate) fn exact<T>(column: Column<M, T>, value: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut expr = Expr::empty();
        expr.words.push(compare(column.path, Lookup::Exact));
        value(expr.params.item());
        expr
    }

    fn join(mut self, other: Self, node: u64) -> Self {
        self.words.extend_from_slice(&other.words);
        self.words.push(node);
        self.params.append(other.params);
        self
    }
}

impl<M> Clone for Expr<M> {
    fn clone(&self) -> Self {
        Expr { words: self.words.clone(), params: self.params.clone(), of: PhantomData }
    }
}
impl<M> fmt::Debug for Expr<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expr({:x?})", self.words)
    }
}
impl<M> BitAnd for Expr<M> {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        self.join(other, all_of(2))
    }
}
impl<M> BitOr for Expr<M> {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        self.join(other, any_of(2))
    }
}
impl<M> Not for Expr<M> {
    type Output = Self;
    fn not(mut self) -> Self {
        self.words.push(negate());
        self
    }
}

/// What `filter` and `exclude` take: an [`Expr`], or a boolean column alone.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a condition on `{M}`",
    label = "expected a condition on `{M}`",
    note = "write `{M}::column().eq(value)`; for a column of another model go through the relation: `{M}::relation().to(Other::column()).eq(value)`"
)]
pub trait Condition<M> {
    /// The condition.
    fn into_expr(self) -> Expr<M>;
}

impl<M> Condition<M> for Expr<M> {
    #[inline]
    fn into_expr(self) -> Expr<M> {
        self
    }
}
impl<M: Model> Condition<M> for Column<M, bool> {
    fn into_expr(self) -> Expr<M> {
        self.eq(true)
    }
}

/// What `get` takes: a condition, or a key.
#[diagnostic::on_unimplemented(
    message = "`{Self}` selects no row of `{M}`",
    label = "expected a key of `{M}` or a condition on it",
    note = "write `.get(key)`, or `.get({M}::column().eq(value))`"
)]
pub trait Selector<M> {
    /// The condition.
    fn into_expr(self) -> Expr<M>;
}

impl<M> Selector<M> for Expr<M> {
    fn into_expr(self) -> Expr<M> {
        self
    }
}

pub(crate) fn key_is<M: Model>(key: &M::Key) -> Expr<M> {
    let mut expr = Expr::empty();
    expr.words.push(compare(Path::field(M::meta().key), Lookup::Exact));
    Field::encode(key, expr.params.item());
    expr
}

macro_rules! key_selector {
    ($($ty:ty),*) => {$(
        #[diagnostic::do_not_recommend]
        impl<M: Model> Selector<M> for $ty
        where
            M::Key: From<$ty>,
        {
            fn into_expr(self) -> Expr<M> {
                key_is(&M::Key::from(self))
            }
        }
    )*};
}
key_selector!(i64, String, uuid::Uuid);

#[diagnostic::do_not_recommend]
impl<'a, M: Model> Selector<M> for &'a str
where
    M::Key: From<&'a str>,
{
    fn into_expr(self) -> Expr<M> {
        key_is(&M::Key::from(self))
    }
}

#[diagnostic::do_not_recommend]
impl<M: Model, A> Selector<M> for Id<A>
where
    M::Key: From<Id<A>>,
{
    fn into_expr(self) -> Expr<M> {
        key_is(&M::Key::from(self))
    }
}

/// A value to compare with a column whose bare type is `V`.
#[diagnostic::on_unimplemented(
    message = "a column of type `{V}` cannot be compared with `{Self}`",
    label = "expected a value of type `{V}`",
    note = "for null write `.is_null()`; a text literal is a `&str`; a foreign key takes a key, or a reference to a row"
)]
pub trait Value<V> {
    /// Writes the value as one CBOR item.
    fn write(&self, out: &mut Vec<u8>);
}

/// The right-hand side of a comparison on `M`: a value, or another column of the same type.
#[diagnostic::on_unimplemented(
    message = "a column of type `{V}` cannot be compared with `{Self}`",
    label = "expected a value of type `{V}`, or another column of that type",
    note = "for null write `.is_null()`; a text literal is a `&str`; a foreign key takes a key, or a reference to a row"
)]
pub trait Operand<M, V> {
    /// Writes the value as one CBOR item.
    #[doc(hidden)]
    fn write(&self, out: &mut Vec<u8>);

    /// Where the other column is.
    #[doc(hidden)]
    fn column(&self) -> Option<ColumnPath> {
        None
    }
}

/// Where a column is, as the query builder knows it.
#[derive(Debug, Clone, Copy)]
pub struct ColumnPath(Path);

impl ColumnPath {
    pub(crate) fn word(self) -> u64 {
        self.0.word()
    }
}

impl<M: Model, T: Field> Operand<M, T::Bare> for Column<M, T> {
    fn write(&self, _: &mut Vec<u8>) {}
    fn column(&self) -> Option<ColumnPath> {
        Some(ColumnPath(self.path))
    }
}

/// Implements `Value<V>` and `Operand<M, V>` for a type, alike. The compiler is told not to list them: the traits' own
/// messages say what to write.
macro_rules! values {
    ($([$($generics:tt)*] $ty:ty => $v:ty $(where { $($bound:tt)* })?, |$this:ident, $out:ident| $encode:expr;)*) => {$(
        #[diagnostic::do_not_recommend]
        impl<$($generics)*> Value<$v> for $ty $(where $($bound)*)? {
            #[inline]
            fn write(&self, $out: &mut Vec<u8>) {
                let $this = self;
                $encode
            }
        }
        #[diagnostic::do_not_recommend]
        impl<M, $($generics)*> Operand<M, $v> for $ty $(where $($bound)*)? {
            #[inline]
            fn write(&self, $out: &mut Vec<u8>) {
                let $this = self;
                $encode
            }
        }
    )*};
}

values! {
    [V: Scalar] V => V, |v, out| Field::encode(v, out);
    [V: Scalar] &V => V, |v, out| Field::encode(*v, out);
    [] &str => String, |v, out| { let _ = put(out).str(v); };
    [] &&str => String, |v, out| { let _ = put(out).str(v); };
    [] &str => Email, |v, out| { let _ = put(out).str(&v.to_lowercase()); };
    [] &str => Url, |v, out| { let _ = put(out).str(v); };
    [] &[u8] => Binary, |v, out| { let _ = put(out).bytes(v); };
    [] Vec<u8> => Binary, |v, out| { let _ = put(out).bytes(v); };
    [A] i64 => Id<A>, |v, out| Field::encode(v, out);
    [A] &i64 => Id<A>, |v, out| Field::encode(*v, out);
    [A: Model] i64 => ForeignKey<A> where { A::Key: From<i64> }, |v, out| Field::encode(v, out);
    [A: Model] &str => ForeignKey<A> where { A::Key: for<'a> From<&'a str> }, |v, out| { let _ = put(out).str(v); };
    [A: Model] String => ForeignKey<A> where { A::Key: From<String> }, |v, out| Field::encode(v, out);
    [A: Model] &String => ForeignKey<A> where { A::Key: From<String> }, |v, out| Field::encode(*v, out);
    [A: Model] uuid::Uuid => ForeignKey<A> where { A::Key: From<uuid::Uuid> }, |v, out| Field::encode(v, out);
    [A: Model, B] Id<B> => ForeignKey<A> where { A::Key: From<Id<B>> }, |v, out| Field::encode(v, out);
    [A: Model, B] &Id<B> => ForeignKey<A> where { A::Key: From<Id<B>> }, |v, out| Field::encode(*v, out);
    [A: Model + SameAs<B>, B: Model] &B => ForeignKey<A>, |v, out| Field::encode(v.key(), out);
}
