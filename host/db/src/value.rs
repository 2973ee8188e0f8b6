//! Values on their way into a statement, and the kinds of columns on their way out.

/// What a column holds, and so how its value is written into the row buffer.
///
/// In brackets: the CBOR type. `NULL` is CBOR null for every kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// \[bool\]
    Bool,
    /// \[int\] 64 bits, signed.
    Int,
    /// \[float\] 64 bits.
    Real,
    /// \[text\] as `-12.50`: always `scale` digits behind the point.
    Decimal {
        /// All digits, 1 to 38.
        digits: u8,
        /// Those behind the point, 0 to `digits`.
        scale: u8,
    },
    /// \[text\]
    Text,
    /// \[bytes\]
    Bytes,
    /// \[int\] microseconds since 1970-01-01T00:00:00Z.
    Timestamp,
    /// \[int\] days since 1970-01-01.
    Date,
    /// \[int\] microseconds since midnight.
    Time,
    /// \[int\] microseconds.
    Duration,
    /// \[text\] a JSON document.
    Json,
    /// \[bytes\] 16
    Uuid,
}

/// A value bound to one placeholder of a statement.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// SQL `NULL`.
    #[default]
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer; also dates and times, in the units of [`Kind`].
    Int(i64),
    /// A float. SQLite stores NaN as `NULL`: refuse it before it gets here.
    Real(f64),
    /// Text, also JSON.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// An exact decimal: `unscaled / 10^scale`.
    Decimal {
        /// The digits without the point.
        unscaled: i128,
        /// All digits of the column, 1 to 38; decides how the value is stored.
        digits: u8,
        /// Digits behind the point.
        scale: u8,
    },
    /// A UUID in network byte order.
    Uuid([u8; 16]),
    /// All values of an `IN`, bound to one placeholder: on SQLite `x IN rarray(?)`. Lists do not nest.
    List(Vec<Value>),
}
