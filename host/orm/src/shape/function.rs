//! What values are calculated with.

/// Takes two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

impl Arithmetic {
    /// Every one, in the order of the WIT.
    pub const ALL: [Arithmetic; 5] =
        [Arithmetic::Add, Arithmetic::Subtract, Arithmetic::Multiply, Arithmetic::Divide, Arithmetic::Modulo];

    /// Name as the WIT spells it.
    pub fn label(self) -> &'static str {
        match self {
            Arithmetic::Add => "add",
            Arithmetic::Subtract => "subtract",
            Arithmetic::Multiply => "multiply",
            Arithmetic::Divide => "divide",
            Arithmetic::Modulo => "modulo",
        }
    }
}

/// Takes the values that the WIT names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Function {
    Lower,
    Upper,
    Length,
    Trim,
    TrimStart,
    TrimEnd,
    Substring,
    Replace,
    Concat,
    Absolute,
    Floor,
    Ceiling,
    Round,
    Coalesce,
    NullIf,
    Greatest,
    Least,
    Now,
    Year,
    Quarter,
    Month,
    Week,
    Day,
    WeekDay,
    Hour,
    Minute,
    Second,
    StartOfYear,
    StartOfQuarter,
    StartOfMonth,
    StartOfWeek,
    StartOfDay,
    StartOfHour,
    StartOfMinute,
    StartOfSecond,
}

impl Function {
    /// Every one, in the order of the WIT.
    pub const ALL: [Function; 35] = [
        Function::Lower,
        Function::Upper,
        Function::Length,
        Function::Trim,
        Function::TrimStart,
        Function::TrimEnd,
        Function::Substring,
        Function::Replace,
        Function::Concat,
        Function::Absolute,
        Function::Floor,
        Function::Ceiling,
        Function::Round,
        Function::Coalesce,
        Function::NullIf,
        Function::Greatest,
        Function::Least,
        Function::Now,
        Function::Year,
        Function::Quarter,
        Function::Month,
        Function::Week,
        Function::Day,
        Function::WeekDay,
        Function::Hour,
        Function::Minute,
        Function::Second,
        Function::StartOfYear,
        Function::StartOfQuarter,
        Function::StartOfMonth,
        Function::StartOfWeek,
        Function::StartOfDay,
        Function::StartOfHour,
        Function::StartOfMinute,
        Function::StartOfSecond,
    ];

    /// Name as the WIT spells it.
    pub fn label(self) -> &'static str {
        match self {
            Function::Lower => "lowercase",
            Function::Upper => "uppercase",
            Function::Length => "length",
            Function::Trim => "trim",
            Function::TrimStart => "trim-start",
            Function::TrimEnd => "trim-end",
            Function::Substring => "substring",
            Function::Replace => "replace",
            Function::Concat => "concat",
            Function::Absolute => "absolute",
            Function::Floor => "floor",
            Function::Ceiling => "ceiling",
            Function::Round => "round",
            Function::Coalesce => "coalesce",
            Function::NullIf => "null-if",
            Function::Greatest => "greatest",
            Function::Least => "least",
            Function::Now => "now",
            Function::Year => "year",
            Function::Quarter => "quarter",
            Function::Month => "month",
            Function::Week => "week",
            Function::Day => "day",
            Function::WeekDay => "week-day",
            Function::Hour => "hour",
            Function::Minute => "minute",
            Function::Second => "second",
            Function::StartOfYear => "start-of-year",
            Function::StartOfQuarter => "start-of-quarter",
            Function::StartOfMonth => "start-of-month",
            Function::StartOfWeek => "start-of-week",
            Function::StartOfDay => "start-of-day",
            Function::StartOfHour => "start-of-hour",
            Function::StartOfMinute => "start-of-minute",
            Function::StartOfSecond => "start-of-second",
        }
    }
}

/// Over the rows of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Aggregation {
    Count,
    Sum,
    Average,
    Least,
    Greatest,
}

impl Aggregation {
    /// Every one, in the order of the WIT.
    pub const ALL: [Aggregation; 5] =
        [Aggregation::Count, Aggregation::Sum, Aggregation::Average, Aggregation::Least, Aggregation::Greatest];

    /// Name as the WIT spells it.
    pub fn label(self) -> &'static str {
        match self {
            Aggregation::Count => "count",
            Aggregation::Sum => "sum",
            Aggregation::Average => "average",
            Aggregation::Least => "least",
            Aggregation::Greatest => "greatest",
        }
    }
}

/// By the place of a row in its partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ranking {
    RowNumber,
    Rank,
    DenseRank,
    PercentRank,
    CumeDist,
    Ntile,
    Lag,
    Lead,
    FirstValue,
    LastValue,
    NthValue,
}

impl Ranking {
    /// Every one, in the order of the WIT.
    pub const ALL: [Ranking; 11] = [
        Ranking::RowNumber,
        Ranking::Rank,
        Ranking::DenseRank,
        Ranking::PercentRank,
        Ranking::CumeDist,
        Ranking::Ntile,
        Ranking::Lag,
        Ranking::Lead,
        Ranking::FirstValue,
        Ranking::LastValue,
        Ranking::NthValue,
    ];

    /// Name as the WIT spells it.
    pub fn label(self) -> &'static str {
        match self {
            Ranking::RowNumber => "row-number",
            Ranking::Rank => "rank",
            Ranking::DenseRank => "dense-rank",
            Ranking::PercentRank => "percent-rank",
            Ranking::CumeDist => "cume-dist",
            Ranking::Ntile => "ntile",
            Ranking::Lag => "lag",
            Ranking::Lead => "lead",
            Ranking::FirstValue => "first-value",
            Ranking::LastValue => "last-value",
            Ranking::NthValue => "nth-value",
        }
    }
}
