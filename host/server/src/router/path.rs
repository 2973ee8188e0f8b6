//! A path as segments, decoded where they are encoded.

use std::{borrow::Cow, fmt};

use smallvec::SmallVec;

/// Why a path is refused with 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadPath {
    /// A `%` without two hexadecimal digits.
    Encoding,
    /// What is encoded is not UTF-8.
    Utf8,
    /// `%00`.
    Nul,
    /// `.` or `..`, plain or encoded.
    Dots,
    /// It does not begin with a slash.
    Relative,
}

impl fmt::Display for BadPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadPath::Encoding => "the path holds a % that is not followed by two hexadecimal digits",
            BadPath::Utf8 => "the path is not UTF-8 once it is decoded",
            BadPath::Nul => "the path holds %00",
            BadPath::Dots => "the path holds a segment \".\" or \"..\"; send the resolved path",
            BadPath::Relative => "the path does not begin with a slash",
        })
    }
}

impl std::error::Error for BadPath {}

/// The segments of a path that is fit to be matched.
pub(super) struct Split<'p> {
    /// The path as sent, without its first slash.
    raw: &'p str,
    segments: SmallVec<[Segment<'p>; 16]>,
}

struct Segment<'p> {
    /// Where it begins in `raw`.
    start: u32,
    text: Cow<'p, str>,
}

impl<'p> Split<'p> {
    pub fn new(path: &'p str) -> Result<Split<'p>, BadPath> {
        let raw = path.strip_prefix('/').ok_or(BadPath::Relative)?;
        let mut segments = SmallVec::new();
        let mut start = 0;
        let mut encoded = false;
        for (at, byte) in raw.bytes().enumerate() {
            match byte {
                b'/' => {
                    segments.push(segment(raw, start, at, encoded)?);
                    start = at + 1;
                    encoded = false;
                }
                b'%' => encoded = true,
                _ => {}
            }
        }
        segments.push(segment(raw, start, raw.len(), encoded)?);
        // An empty segment before the end is nobody's: no literal, parameter or rest is compared with it.
        let holes = segments.len() > 1
            && segments.iter().take(segments.len() - 1).any(|segment: &Segment<'_>| segment.text.is_empty());
        if holes {
            segments.clear();
            segments.push(Segment { start: 0, text: Cow::Borrowed(NOBODY) });
            segments.push(Segment { start: 0, text: Cow::Borrowed(NOBODY) });
        }
        Ok(Split { raw, segments })
    }

    /// False: this path matches nothing.
    pub fn is_servable(&self) -> bool {
        self.segments.first().is_none_or(|segment| segment.text != NOBODY)
    }

    pub fn text(&self, index: usize) -> Option<&str> {
        self.segments.get(index).map(|segment| segment.text.as_ref())
    }

    pub fn segment(&self, index: usize) -> Option<Cow<'p, str>> {
        self.segments.get(index).map(|segment| segment.text.clone())
    }

    /// The rest from a segment on, decoded.
    pub fn from(&self, index: usize) -> Cow<'p, str> {
        let Some(first) = self.segments.get(index) else { return Cow::Borrowed("") };
        let encoded = self.segments.iter().skip(index).any(|segment| matches!(segment.text, Cow::Owned(_)));
        if !encoded {
            return Cow::Borrowed(self.raw.get(first.start as usize..).unwrap_or_default());
        }
        let mut rest = String::with_capacity(self.raw.len());
        for (n, segment) in self.segments.iter().skip(index).enumerate() {
            if n > 0 {
                rest.push('/');
            }
            rest.push_str(&segment.text);
        }
        Cow::Owned(rest)
    }
}

/// Holds a NUL, which no accepted segment does.
const NOBODY: &str = "\0";

fn segment(raw: &str, start: usize, end: usize, encoded: bool) -> Result<Segment<'_>, BadPath> {
    let text = raw.get(start..end).unwrap_or_default();
    let text = if encoded { Cow::Owned(decode(text)?) } else { Cow::Borrowed(text) };
    if text.as_bytes().first() == Some(&b'.') || encoded {
        let dots = |part: &str| part == "." || part == "..";
        if text.split('/').any(dots) {
            return Err(BadPath::Dots);
        }
    }
    Ok(Segment { start: u32::try_from(start).unwrap_or(u32::MAX), text })
}

/// Percent-decodes one segment.
pub(super) fn decode(text: &str) -> Result<String, BadPath> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (high, low) = (rest.next().and_then(hex), rest.next().and_then(hex));
        match (high, low) {
            (Some(0), Some(0)) => return Err(BadPath::Nul),
            (Some(high), Some(low)) => bytes.push(high << 4 | low),
            _ => return Err(BadPath::Encoding),
        }
    }
    String::from_utf8(bytes).map_err(|_| BadPath::Utf8)
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
