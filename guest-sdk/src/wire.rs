//! CBOR as it crosses the wall (RFC 8949): arrays that are built item by item, and nothing that needs a tree of values.

use minicbor::{Decoder, Encoder};

/// What a value of the wall could not be read as.
pub type DecodeError = minicbor::decode::Error;

/// Writes CBOR items to the end of `out`. Writing to memory cannot fail, so callers drop the `Result`s.
#[inline]
pub(crate) fn put(out: &mut Vec<u8>) -> Encoder<&mut Vec<u8>> {
    Encoder::new(out)
}

/// A CBOR array whose length is not known before its last item. Its header takes the one byte kept free at the front
/// (or is spliced in, past 23 items). Empty arrays allocate nothing until they are finished.
#[derive(Clone, Debug, Default)]
pub(crate) struct Array {
    bytes: Vec<u8>,
    count: u32,
}

impl Array {
    const WHOLE: u32 = u32::MAX;

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(crate) const fn new() -> Self {
        Array { bytes: Vec::new(), count: 0 }
    }

    /// Room for one more item, which the caller writes whole.
    #[inline]
    pub(crate) fn item(&mut self) -> &mut Vec<u8> {
        if self.bytes.is_empty() {
            self.bytes.reserve(32);
            self.bytes.push(0);
        }
        self.count += 1;
        &mut self.bytes
    }

    pub(crate) fn int(&mut self, value: u64) {
        let _ = put(self.item()).u64(value);
    }

    /// An array that was finished before, only to be finished again.
    pub(crate) fn from_finished(bytes: Vec<u8>) -> Self {
        Array { bytes, count: Self::WHOLE }
    }

    #[inline]
    pub(crate) fn append(&mut self, other: Array) {
        if self.count == 0 {
            *self = other;
        } else if other.count > 0 {
            self.count += other.count;
            self.bytes.extend_from_slice(&other.bytes[1..]);
        }
    }

    #[inline]
    pub(crate) fn finish(mut self) -> Vec<u8> {
        match self.count {
            0 => vec![0x80],
            Self::WHOLE => self.bytes,
            1..=23 => {
                self.bytes[0] = 0x80 | self.count as u8;
                self.bytes
            }
            count => {
                let mut header = Vec::with_capacity(5);
                let _ = put(&mut header).array(u64::from(count));
                self.bytes.splice(0..1, header);
                self.bytes
            }
        }
    }
}

/// Reads the header of an array of definite length.
#[inline]
pub(crate) fn array(d: &mut Decoder<'_>) -> Result<u64, DecodeError> {
    d.array()?.ok_or_else(|| DecodeError::message("array of indefinite length"))
}

/// True, and the null is consumed, when the next item is null.
#[inline]
pub(crate) fn null(d: &mut Decoder<'_>) -> Result<bool, DecodeError> {
    const NULL: u8 = 0xf6;
    let at = d.position();
    if d.input().get(at) == Some(&NULL) {
        d.set_position(at + 1);
        return Ok(true);
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_is_the_same_bytes_as_if_its_length_had_been_known() {
        for count in [0u64, 1, 23, 24, 300] {
            let mut array = Array::new();
            let mut known = Vec::new();
            let _ = put(&mut known).array(count);
            for value in 0..count {
                array.int(value);
                let _ = put(&mut known).u64(value);
            }
            assert_eq!(array.finish(), known, "{count} items");
        }
    }

    #[test]
    fn appended_arrays_keep_their_order() {
        let (mut a, mut b) = (Array::new(), Array::new());
        a.int(1);
        b.int(2);
        b.int(3);
        a.append(b);
        a.append(Array::new());
        assert_eq!(a.finish(), [0x83, 1, 2, 3]);
    }
}
