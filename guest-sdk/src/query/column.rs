//! Columns: what `Post::views()` returns, and what can be said of it.

use std::fmt;
use std::marker::PhantomData;

use super::expr::{Expr, Operand, Value};
use super::shape::{Change, Lookup, Path, assigned, compare, compare_field, ordered};
use crate::model::meta::LinkMeta;
use crate::model::{Field, ForeignKey, HasDate, HasTime, Id, Model, Numeric, Ordered, Relation, Scalar, Textual};
use crate::wire::{Array, put};

/// A column of type `T`, of the model `M` or of one that relations lead to from `M`. 8 bytes, `Copy`.
///
/// Each look-up exists only for the types it makes sense for; a comparison takes a value of the column's type, or
/// another column of the same type.
pub struct Column<M, T> {
    pub(crate) path: Path,
    of: PhantomData<fn() -> (M, T)>,
}

impl<M, T> Clone for Column<M, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<M, T> Copy for Column<M, T> {}
impl<M, T> fmt::Debug for Column<M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Column({:?})", self.path.steps())
    }
}

impl<M, T> Column<M, T> {
    /// For `#[derive(Model)]`: the field at this index.
    #[doc(hidden)]
    pub const fn at(index: u8) -> Self {
        Column { path: Path::field(index), of: PhantomData }
    }

    pub(crate) const fn new(path: Path) -> Self {
        Column { path, of: PhantomData }
    }

    /// The same column, reached from a row that this relation leads from.
    pub(crate) fn behind<O, N>(self, link: &'static LinkMeta) -> Column<O, N> {
        Column::new(Path::many(link).then(self.path))
    }
}

impl<M: Model, T: Field> Column<M, T> {
    fn compare(self, lookup: Lookup, right: impl Operand<M, T::Bare>) -> Expr<M> {
        let mut expr = Expr::empty();
        match right.column() {
            Some(other) => expr.words.extend([compare_field(self.path, lookup), other.word()]),
            None => {
                expr.words.push(compare(self.path, lookup));
                right.write(expr.params.item());
            }
        }
        expr
    }

    fn with(self, lookup: Lookup, value: impl FnOnce(&mut Vec<u8>)) -> Expr<M> {
        let mut expr = Expr::empty();
        expr.words.push(compare(self.path, lookup));
        value(expr.params.item());
        expr
    }

    fn part(self, lookup: Lookup, value: i64) -> Expr<M> {
        self.with(lookup, |out| Field::encode(&value, out))
    }

    /// Equal to a value or to another column. For null write [`is_null`](Column::is_null).
    pub fn eq(self, other: impl Operand<M, T::Bare>) -> Expr<M> {
        self.compare(Lookup::Exact, other)
    }

    /// Not equal, or null.
    pub fn ne(self, other: impl Operand<M, T::Bare>) -> Expr<M> {
        !self.eq(other)
    }

    /// One of these; none of them matches nothing.
    pub fn is_in<V: Value<T::Bare>>(self, values: impl IntoIterator<Item = V>) -> Expr<M> {
        let mut list = Array::new();
        for value in values {
            value.write(list.item());
        }
        self.with(Lookup::In, |out| out.extend(list.finish()))
    }

    /// Null.
    pub fn is_null(self) -> Expr<M> {
        self.with(Lookup::IsNull, |out| Field::encode(&true, out))
    }

    /// Not null.
    pub fn is_not_null(self) -> Expr<M> {
        self.with(Lookup::IsNull, |out| Field::encode(&false, out))
    }

    /// Greater.
    pub fn gt(self, other: impl Operand<M, T::Bare>) -> Expr<M>
    where
        T::Bare: Ordered,
    {
        self.compare(Lookup::Gt, other)
    }

    /// Greater or equal.
    pub fn gte(self, other: impl Operand<M, T::Bare>) -> Expr<M>
    where
        T::Bare: Ordered,
    {
        self.compare(Lookup::Gte, other)
    }

    /// Less.
    pub fn lt(self, other: impl Operand<M, T::Bare>) -> Expr<M>
    where
        T::Bare: Ordered,
    {
        self.compare(Lookup::Lt, other)
    }

    /// Less or equal.
    pub fn lte(self, other: impl Operand<M, T::Bare>) -> Expr<M>
    where
        T::Bare: Ordered,
    {
        self.compare(Lookup::Lte, other)
    }

    /// From the first to the second, both included.
    pub fn range(self, from: impl Value<T::Bare>, to: impl Value<T::Bare>) -> Expr<M>
    where
        T::Bare: Ordered,
    {
        self.with(Lookup::Range, |out| {
            let _ = put(out).array(2);
            from.write(out);
            to.write(out);
        })
    }

    /// Ascending; a column alone means the same.
    pub fn asc(self) -> Order<M> {
        Order { word: ordered(self.path, false), of: PhantomData }
    }

    /// Descending.
    pub fn desc(self) -> Order<M> {
        Order { word: ordered(self.path, true), of: PhantomData }
    }
}

/// Look-ups in text; `i…` ignores case.
macro_rules! textual {
    ($($(#[$doc:meta])* $name:ident => $lookup:ident;)*) => {
        impl<M: Model, T: Field> Column<M, T> {$(
            $(#[$doc])*
            pub fn $name(self, text: impl AsRef<str>) -> Expr<M>
            where
                T::Bare: Textual,
            {
                self.with(Lookup::$lookup, |out| { let _ = put(out).str(text.as_ref()); })
            }
        )*}
    };
}

textual! {
    /// Equal, ignoring case.
    iexact => IExact;
    /// Has this text somewhere in it.
    contains => Contains;
    /// Has this text somewhere in it, ignoring case.
    icontains => IContains;
    /// Starts with this text.
    startswith => StartsWith;
    /// Starts with this text, ignoring case.
    istartswith => IStartsWith;
    /// Ends with this text.
    endswith => EndsWith;
    /// Ends with this text, ignoring case.
    iendswith => IEndsWith;
    /// Matches this regular expression somewhere (syntax of the `regex` crate on SQLite).
    regex => Regex;
    /// Matches this regular expression somewhere, ignoring case.
    iregex => IRegex;
}

/// Look-ups of parts of dates and times, in UTC.
macro_rules! parts {
    ($marker:ident: $($(#[$doc:meta])* $name:ident => $lookup:ident;)*) => {
        impl<M: Model, T: Field> Column<M, T> {$(
            $(#[$doc])*
            pub fn $name(self, value: i64) -> Expr<M>
            where
                T::Bare: $marker,
            {
                self.part(Lookup::$lookup, value)
            }
        )*}
    };
}

parts! { HasDate:
    /// In this year.
    year => Year;
    /// In this month, 1 to 12.
    month => Month;
    /// On this day of the month, 1 to 31.
    day => Day;
    /// On this day of the week (ISO 8601): Monday 1 to Sunday 7.
    week_day => WeekDay;
}

parts! { HasTime:
    /// In this hour, 0 to 23.
    hour => Hour;
    /// In this minute, 0 to 59.
    minute => Minute;
    /// In this second, 0 to 59.
    second => Second;
}

impl<M: Model, T: Field> Column<M, T> {
    fn assign(self, change: Change, value: impl FnOnce(&mut Vec<u8>)) -> Assignment<M> {
        let mut params = Array::new();
        value(params.item());
        Assignment { word: assigned(self.path, change), params, of: PhantomData }
    }

    /// For `update`: the new value.
    pub fn set(self, value: impl SetValue<T>) -> Assignment<M> {
        self.assign(Change::Set, |out| value.write(out))
    }

    /// For `update`: adds, in the database, so that no concurrent change is lost.
    #[allow(clippy::should_implement_trait)] // `views() + 1` would look like an expression of SQL, which this is not.
    pub fn add(self, value: impl Value<T::Bare>) -> Assignment<M>
    where
        T::Bare: Numeric,
    {
        self.assign(Change::Add, |out| value.write(out))
    }

    /// For `update`: subtracts, in the database.
    #[allow(clippy::should_implement_trait)]
    pub fn sub(self, value: impl Value<T::Bare>) -> Assignment<M>
    where
        T::Bare: Numeric,
    {
        self.assign(Change::Subtract, |out| value.write(out))
    }

    /// For `update`: multiplies, in the database.
    #[allow(clippy::should_implement_trait)]
    pub fn mul(self, value: impl Value<T::Bare>) -> Assignment<M>
    where
        T::Bare: Numeric,
    {
        self.assign(Change::Multiply, |out| value.write(out))
    }
}

impl<M: Model, T: Field> Column<M, Option<T>>
where
    Option<T>: Field,
{
    /// For `update`: null.
    pub fn set_null(self) -> Assignment<M> {
        self.assign(Change::Set, |out| {
            let _ = put(out).null();
        })
    }
}

impl<M: Model, R: Field> Column<M, R> {
    /// A column of the model that this relation leads to: `Post::author().to(Author::name())`. Behind a relation that
    /// may be null the column may be null too.
    pub fn to<T: Field>(self, column: Column<R::Target, T>) -> Column<M, R::Through<T>>
    where
        R: Relation,
    {
        Column::new(self.path.then(column.path))
    }

    /// A relation of the model that this one leads to: `Post::author().then(Author::country())`.
    pub fn then<S: Relation>(self, relation: Column<R::Target, S>) -> Column<M, R::Through<S>>
    where
        R: Relation,
    {
        Column::new(self.path.then(relation.path))
    }
}

/// One column of an order.
pub struct Order<M> {
    pub(crate) word: u64,
    of: PhantomData<fn() -> M>,
}

impl<M> Clone for Order<M> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<M> Copy for Order<M> {}
impl<M> fmt::Debug for Order<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Order({:x})", self.word)
    }
}

/// One change of an update.
#[derive(Clone, Debug)]
pub struct Assignment<M> {
    pub(crate) word: u64,
    pub(crate) params: Array,
    of: PhantomData<fn() -> M>,
}

/// What a column of type `T` can be set to.
#[diagnostic::on_unimplemented(message = "a field of type `{T}` cannot be set to `{Self}`", label = "expected `{T}`")]
pub trait SetValue<T> {
    /// Writes the value as one CBOR item.
    fn write(&self, out: &mut Vec<u8>);
}

impl<T: Field> SetValue<T> for T {
    fn write(&self, out: &mut Vec<u8>) {
        Field::encode(self, out);
    }
}
impl<T: Field> SetValue<T> for &T {
    fn write(&self, out: &mut Vec<u8>) {
        Field::encode(*self, out);
    }
}
impl<T: Field<Bare = T> + Scalar> SetValue<Option<T>> for T {
    fn write(&self, out: &mut Vec<u8>) {
        Field::encode(self, out);
    }
}
impl SetValue<String> for &str {
    fn write(&self, out: &mut Vec<u8>) {
        let _ = put(out).str(self);
    }
}
impl SetValue<Option<String>> for &str {
    fn write(&self, out: &mut Vec<u8>) {
        let _ = put(out).str(self);
    }
}
impl<M: Model, A: Model> SetValue<ForeignKey<M>> for &A
where
    M: SameAs<A>,
{
    fn write(&self, out: &mut Vec<u8>) {
        Field::encode(self.key(), out);
    }
}
impl<M: Model, A: Model> SetValue<Option<ForeignKey<M>>> for &A
where
    M: SameAs<A>,
{
    fn write(&self, out: &mut Vec<u8>) {
        Field::encode(self.key(), out);
    }
}
impl<M: Model, A> SetValue<ForeignKey<M>> for Id<A>
where
    M::Key: From<Id<A>>,
{
    fn write(&self, out: &mut Vec<u8>) {
        Field::encode(self, out);
    }
}
impl<M: Model, A> SetValue<Option<ForeignKey<M>>> for Id<A>
where
    M::Key: From<Id<A>>,
{
    fn write(&self, out: &mut Vec<u8>) {
        Field::encode(self, out);
    }
}

/// The same model; lets the compiler say which one was expected.
#[diagnostic::on_unimplemented(message = "expected a row of `{Self}`, found one of `{A}`")]
pub trait SameAs<A> {}
impl<M> SameAs<M> for M {}
