//! CSV records out of a body that comes in pieces.
//!
//! Memory is bounded by one record, not by the file. Every record carries the line on which it starts, so that what is
//! wrong with it can be found with an editor.

use csv_core::{ReadRecordResult, Reader};

/// The longest record in bytes; the longest of the two files has 95.
const MAX_RECORD: usize = 4096;
/// The most fields of a record; the files have 7 and 3.
const MAX_FIELDS: usize = 32;

/// One record, or what kept it from being one.
#[derive(Debug)]
pub struct Record<'a> {
    /// Line of the file on which it starts; the first is 1.
    pub line: u64,
    pub fields: Result<Vec<&'a str>, String>,
}

/// The parser's state between two pieces of the body.
pub struct Records {
    reader: Reader,
    text: Vec<u8>,
    text_len: usize,
    ends: [usize; MAX_FIELDS],
    ends_len: usize,
    line: u64,
    start: Option<u64>,
    too_long: bool,
}

impl Records {
    pub fn new() -> Records {
        Records {
            reader: Reader::new(),
            text: vec![0; MAX_RECORD],
            text_len: 0,
            ends: [0; MAX_FIELDS],
            ends_len: 0,
            line: 1,
            start: None,
            too_long: false,
        }
    }

    /// Takes the next piece of the body and hands every record that it completes to `each`.
    pub fn feed(&mut self, mut piece: &[u8], mut each: impl FnMut(Record<'_>)) {
        while !piece.is_empty() {
            if self.start.is_none() {
                // Line ends before a record (also empty lines) belong to none.
                let skipped = piece.iter().take_while(|&&byte| byte == b'\n' || byte == b'\r').count();
                self.line += lines(&piece[..skipped]);
                piece = &piece[skipped..];
                if piece.is_empty() {
                    return;
                }
                self.start = Some(self.line);
            }
            let (result, read, written, ended) =
                self.reader.read_record(piece, &mut self.text[self.text_len..], &mut self.ends[self.ends_len..]);
            self.line += lines(&piece[..read]);
            piece = &piece[read..];
            self.advance(&result, written, ended, &mut each);
        }
    }

    /// The body is over: hands out the last record if no line end closed it.
    pub fn finish(mut self, mut each: impl FnMut(Record<'_>)) {
        while self.start.is_some() {
            let (result, _, written, ended) =
                self.reader.read_record(&[], &mut self.text[self.text_len..], &mut self.ends[self.ends_len..]);
            self.advance(&result, written, ended, &mut each);
            if matches!(result, ReadRecordResult::End) {
                return;
            }
        }
    }

    fn advance(&mut self, result: &ReadRecordResult, written: usize, ended: usize, each: &mut impl FnMut(Record<'_>)) {
        self.text_len += written;
        self.ends_len += ended;
        match result {
            ReadRecordResult::Record => {
                each(Record { line: self.start.unwrap_or(self.line), fields: self.fields() });
                (self.text_len, self.ends_len, self.start, self.too_long) = (0, 0, None, false);
            }
            // The rest of a record that does not fit is read and thrown away; the record is reported as too long.
            ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                (self.text_len, self.ends_len, self.too_long) = (0, 0, true);
            }
            ReadRecordResult::InputEmpty | ReadRecordResult::End => {}
        }
    }

    fn fields(&self) -> Result<Vec<&str>, String> {
        if self.too_long {
            return Err(format!("is longer than {MAX_RECORD} bytes or has more than {MAX_FIELDS} fields"));
        }
        let mut from = 0;
        self.ends[..self.ends_len]
            .iter()
            .map(|&end| {
                let field = &self.text[from..end];
                from = end;
                std::str::from_utf8(field).map_err(|_| "is not UTF-8".to_owned())
            })
            .collect()
    }
}

fn lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|&&byte| byte == b'\n').count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything in `text`, fed in pieces of `size` bytes, as `LINE:field|field`.
    fn read(text: &[u8], size: usize) -> Vec<String> {
        let mut found = Vec::new();
        let mut each = |record: Record<'_>| {
            found.push(match record.fields {
                Ok(fields) => format!("{}:{}", record.line, fields.join("|")),
                Err(reason) => format!("{}:{reason}", record.line),
            });
        };
        let mut records = Records::new();
        for piece in text.chunks(size) {
            records.feed(piece, &mut each);
        }
        records.finish(&mut each);
        found
    }

    #[test]
    fn the_size_of_the_pieces_changes_nothing() {
        let text = b"\xef\xbb\xbfa,b\r\n1,\"two, \"\"2\"\"\"\n\n\n\"x\ny\",z\n5,\xff\nlast,one";
        let whole = read(text, text.len());
        assert_eq!(whole, ["1:a|b", "2:1|two, \"2\"", "5:x\ny|z", "7:is not UTF-8", "8:last|one"]);
        for size in 3..text.len() {
            assert_eq!(read(text, size), whole, "pieces of {size} bytes");
        }
        assert_eq!(read(&text[3..], 1), whole);
    }

    #[test]
    fn a_record_without_end_is_reported_and_the_next_one_is_read() {
        let text = format!("{}\n{}\nok,1\n", "x".repeat(3 * MAX_RECORD), ",".repeat(200));
        let found = read(text.as_bytes(), 1000);
        assert_eq!(found.len(), 3);
        assert!(found[0].starts_with("1:is longer than 4096 bytes"), "{}", found[0]);
        assert!(found[1].starts_with("2:is longer than"), "{}", found[1]);
        assert_eq!(found[2], "3:ok|1");
    }
}
