//! What a deletion took.

use minicbor::Decoder;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::Result;
use crate::model::Model;
use crate::wire::array;

/// How many rows a deletion took, by model. None is no error: look at [`rows`](Deleted::rows). In JSON an object: `{"Author": 1, "Post": 12}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deleted {
    /// The model itself first.
    counts: Vec<(String, u64)>,
}

impl Deleted {
    pub(crate) fn read(answer: &[u8]) -> Result<Self> {
        let mut d = Decoder::new(answer);
        let count = array(&mut d)?;
        let mut counts = Vec::with_capacity(count.min(answer.len() as u64) as usize);
        for _ in 0..count {
            array(&mut d)?;
            counts.push((d.str()?.to_owned(), d.u64()?));
        }
        Ok(Deleted { counts })
    }

    /// Rows of the model itself.
    pub fn rows(&self) -> u64 {
        self.counts.first().map_or(0, |(_, rows)| *rows)
    }

    /// True when there was nothing to delete.
    pub fn is_empty(&self) -> bool {
        self.total() == 0
    }

    /// Rows of all models.
    pub fn total(&self) -> u64 {
        self.counts.iter().map(|(_, rows)| rows).sum()
    }

    /// Rows of `T`.
    pub fn of<T: Model>(&self) -> u64 {
        self.by_model().find(|(model, _)| *model == T::meta().name).map_or(0, |(_, rows)| rows)
    }

    /// Rows of each model that lost some, the model itself first.
    pub fn by_model(&self) -> impl Iterator<Item = (&str, u64)> {
        self.counts.iter().map(|(model, rows)| (model.as_str(), *rows))
    }
}

impl Serialize for Deleted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.counts.len()))?;
        for (model, rows) in self.by_model() {
            map.serialize_entry(model, &rows)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_by_model() {
        let answer = b"\x82\x82\x66Author\x01\x82\x64Post\x0c";
        let deleted = Deleted::read(answer).unwrap();
        assert_eq!((deleted.rows(), deleted.total(), deleted.is_empty()), (1, 13, false));
        assert_eq!(serde_json::to_string(&deleted).unwrap(), r#"{"Author":1,"Post":12}"#);
        assert!(Deleted::read(b"\x81\x82\x66Author\x00").unwrap().is_empty());
        assert!(Deleted::read(b"\x01").is_err());
    }
}
