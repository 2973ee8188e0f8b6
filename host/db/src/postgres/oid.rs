//! Numbers of PostgreSQL's own types, the same on every server (`src/include/catalog/pg_type.dat`).

use crate::Kind;

pub(super) const BOOL: u32 = 16;
pub(super) const BYTEA: u32 = 17;
pub(super) const NAME: u32 = 19;
pub(super) const INT8: u32 = 20;
pub(super) const INT2: u32 = 21;
pub(super) const INT4: u32 = 23;
pub(super) const TEXT: u32 = 25;
pub(super) const OID: u32 = 26;
pub(super) const JSON: u32 = 114;
pub(super) const FLOAT4: u32 = 700;
pub(super) const FLOAT8: u32 = 701;
pub(super) const UNKNOWN: u32 = 705;
pub(super) const BPCHAR: u32 = 1042;
pub(super) const VARCHAR: u32 = 1043;
pub(super) const DATE: u32 = 1082;
pub(super) const TIME: u32 = 1083;
pub(super) const TIMESTAMP: u32 = 1114;
pub(super) const TIMESTAMPTZ: u32 = 1184;
pub(super) const INTERVAL: u32 = 1186;
pub(super) const NUMERIC: u32 = 1700;
pub(super) const UUID: u32 = 2950;
pub(super) const JSONB: u32 = 3802;

/// What a kind is bound as: the type, and the type of arrays of it.
pub(super) const fn of(kind: Kind) -> (u32, u32) {
    match kind {
        Kind::Bool => (BOOL, 1000),
        Kind::Int => (INT8, 1016),
        Kind::Real => (FLOAT8, 1022),
        Kind::Decimal { .. } => (NUMERIC, 1231),
        Kind::Text => (TEXT, 1009),
        Kind::Bytes => (BYTEA, 1001),
        Kind::Timestamp => (TIMESTAMPTZ, 1185),
        Kind::Date => (DATE, 1182),
        Kind::Time => (TIME, 1183),
        Kind::Duration => (INTERVAL, 1187),
        Kind::Json => (JSONB, 3807),
        Kind::Uuid => (UUID, 2951),
    }
}
