//! What values are calculated with: the same names on both sides.

use covet_orm::schema::{DecimalSpec, Kind};
use covet_orm::shape;

use crate::bindings::covet::orm::query as wit;

pub(super) fn arithmetic(raw: wit::Arithmetic) -> shape::Arithmetic {
    match raw {
        wit::Arithmetic::Add => shape::Arithmetic::Add,
        wit::Arithmetic::Subtract => shape::Arithmetic::Subtract,
        wit::Arithmetic::Multiply => shape::Arithmetic::Multiply,
        wit::Arithmetic::Divide => shape::Arithmetic::Divide,
        wit::Arithmetic::Modulo => shape::Arithmetic::Modulo,
    }
}

pub(super) fn function(raw: wit::Function) -> shape::Function {
    match raw {
        wit::Function::Lowercase => shape::Function::Lower,
        wit::Function::Uppercase => shape::Function::Upper,
        wit::Function::Length => shape::Function::Length,
        wit::Function::Trim => shape::Function::Trim,
        wit::Function::TrimStart => shape::Function::TrimStart,
        wit::Function::TrimEnd => shape::Function::TrimEnd,
        wit::Function::Substring => shape::Function::Substring,
        wit::Function::Replace => shape::Function::Replace,
        wit::Function::Concat => shape::Function::Concat,
        wit::Function::Absolute => shape::Function::Absolute,
        wit::Function::Floor => shape::Function::Floor,
        wit::Function::Ceiling => shape::Function::Ceiling,
        wit::Function::Round => shape::Function::Round,
        wit::Function::Coalesce => shape::Function::Coalesce,
        wit::Function::NullIf => shape::Function::NullIf,
        wit::Function::Greatest => shape::Function::Greatest,
        wit::Function::Least => shape::Function::Least,
        wit::Function::Now => shape::Function::Now,
        wit::Function::Year => shape::Function::Year,
        wit::Function::Quarter => shape::Function::Quarter,
        wit::Function::Month => shape::Function::Month,
        wit::Function::Week => shape::Function::Week,
        wit::Function::Day => shape::Function::Day,
        wit::Function::WeekDay => shape::Function::WeekDay,
        wit::Function::Hour => shape::Function::Hour,
        wit::Function::Minute => shape::Function::Minute,
        wit::Function::Second => shape::Function::Second,
        wit::Function::StartOfYear => shape::Function::StartOfYear,
        wit::Function::StartOfQuarter => shape::Function::StartOfQuarter,
        wit::Function::StartOfMonth => shape::Function::StartOfMonth,
        wit::Function::StartOfWeek => shape::Function::StartOfWeek,
        wit::Function::StartOfDay => shape::Function::StartOfDay,
        wit::Function::StartOfHour => shape::Function::StartOfHour,
        wit::Function::StartOfMinute => shape::Function::StartOfMinute,
        wit::Function::StartOfSecond => shape::Function::StartOfSecond,
    }
}

pub(super) fn aggregation(raw: wit::Aggregation) -> shape::Aggregation {
    match raw {
        wit::Aggregation::Count => shape::Aggregation::Count,
        wit::Aggregation::Sum => shape::Aggregation::Sum,
        wit::Aggregation::Average => shape::Aggregation::Average,
        wit::Aggregation::Least => shape::Aggregation::Least,
        wit::Aggregation::Greatest => shape::Aggregation::Greatest,
    }
}

pub(super) fn ranking(raw: wit::Ranking) -> shape::Ranking {
    match raw {
        wit::Ranking::RowNumber => shape::Ranking::RowNumber,
        wit::Ranking::Rank => shape::Ranking::Rank,
        wit::Ranking::DenseRank => shape::Ranking::DenseRank,
        wit::Ranking::PercentRank => shape::Ranking::PercentRank,
        wit::Ranking::CumeDist => shape::Ranking::CumeDist,
        wit::Ranking::Ntile => shape::Ranking::Ntile,
        wit::Ranking::Lag => shape::Ranking::Lag,
        wit::Ranking::Lead => shape::Ranking::Lead,
        wit::Ranking::FirstValue => shape::Ranking::FirstValue,
        wit::Ranking::LastValue => shape::Ranking::LastValue,
        wit::Ranking::NthValue => shape::Ranking::NthValue,
    }
}

pub(super) fn kind(raw: wit::ValueKind) -> Kind {
    match raw {
        wit::ValueKind::Boolean => Kind::Boolean,
        wit::ValueKind::Integer => Kind::Int64,
        wit::ValueKind::Float => Kind::Float64,
        wit::ValueKind::Decimal(precision) => {
            Kind::Decimal(DecimalSpec { digits: precision.digits, scale: precision.scale })
        }
        wit::ValueKind::Text => Kind::Text,
        wit::ValueKind::Binary => Kind::Binary,
        wit::ValueKind::Datetime => Kind::Datetime,
        wit::ValueKind::Date => Kind::Date,
        wit::ValueKind::Time => Kind::Time,
        wit::ValueKind::Duration => Kind::Duration,
        wit::ValueKind::Json => Kind::Json,
        wit::ValueKind::Uuid => Kind::Uuid,
    }
}
