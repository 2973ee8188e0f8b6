//! The normal form of JSON documents, in which they are stored and compared.
//!
//! Databases keep documents differently: some as they came, PostgreSQL in a form of its own. The normal form is that form
//! without its spaces, so that a document comes back alike from each and two that say the same are equal: keys by length,
//! then by bytes; of several members with one key the last; numbers without exponent, their digits as they were; no escape
//! that is not needed.

/// Digits of a number, all together, once its exponent is written out.
const MAX_NUMBER_DIGITS: usize = 1_000;

/// Brings a document that was checked ([`super::text::check_json`]) into its normal form.
pub(super) fn normal(text: &str) -> Result<String, String> {
    let mut reader = Reader { text, at: 0 };
    let mut out = String::with_capacity(text.len());
    reader.value(&mut out)?;
    Ok(out)
}

/// Whether a document in normal form holds NUL in a text or key.
pub(super) fn holds_nul(normal: &str) -> bool {
    normal.match_indices("\\u0000").any(|(at, _)| {
        let before = normal.get(..at).unwrap_or_default();
        let backslashes = before.bytes().rev().take_while(|byte| *byte == b'\\').count();
        backslashes % 2 == 0
    })
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or_default()
    }

    fn space(&mut self) {
        self.run(|byte| byte.is_ascii_whitespace());
    }

    /// The bytes from here on that `holds` for; all ASCII.
    fn run(&mut self, holds: impl Fn(u8) -> bool) -> &'t str {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest.bytes().take_while(|byte| holds(*byte)).count();
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    /// Recursion is bounded by the depth that was checked.
    fn value(&mut self, out: &mut String) -> Result<(), String> {
        self.space();
        match self.peek() {
            b'{' => self.object(out)?,
            b'[' => self.array(out)?,
            b'"' => write_text(&self.string()?, out),
            b'-' | b'0'..=b'9' => {
                let number = self.run(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'));
                write_number(number, out)?;
            }
            _ => out.push_str(self.run(|byte| byte.is_ascii_lowercase())),
        }
        self.space();
        Ok(())
    }

    fn array(&mut self, out: &mut String) -> Result<(), String> {
        self.at += 1;
        self.space();
        out.push('[');
        let mut first = true;
        while self.peek() != b']' && self.at < self.text.len() {
            if !first {
                self.at += 1;
                out.push(',');
            }
            first = false;
            self.value(out)?;
        }
        self.at += 1;
        out.push(']');
        Ok(())
    }

    fn object(&mut self, out: &mut String) -> Result<(), String> {
        self.at += 1;
        self.space();
        let mut members: Vec<(String, String)> = Vec::new();
        while self.peek() != b'}' && self.at < self.text.len() {
            if !members.is_empty() {
                self.at += 1;
                self.space();
            }
            let key = self.string()?;
            self.space();
            self.at += 1;
            let mut value = String::new();
            self.value(&mut value)?;
            members.push((key, value));
        }
        self.at += 1;
        // Stable, so that of equal keys the last stays last.
        members.sort_by(|(one, _), (other, _)| (one.len(), one).cmp(&(other.len(), other)));
        out.push('{');
        let mut rest = members.iter().peekable();
        let mut first = true;
        while let Some((key, value)) = rest.next() {
            if rest.peek().is_some_and(|(next, _)| next == key) {
                continue;
            }
            if !first {
                out.push(',');
            }
            first = false;
            write_text(key, out);
            out.push(':');
            out.push_str(value);
        }
        out.push('}');
        Ok(())
    }

    fn string(&mut self) -> Result<String, String> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        self.at += 1;
        while let Some(byte) = bytes.get(self.at) {
            match byte {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        let quoted = self.text.get(start..self.at).unwrap_or_default();
        // Half of a surrogate pair is no text.
        serde_json::from_str(quoted).map_err(|fault| format!("is not JSON: {fault}"))
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

/// Moves the point by the exponent.
fn write_number(number: &str, out: &mut String) -> Result<(), String> {
    let too_long = || format!("holds a number of more than {MAX_NUMBER_DIGITS} digits: send it as a text");
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (negative, mantissa) = mantissa.strip_prefix('-').map_or((false, mantissa), |rest| (true, rest));
    let (whole, places) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i64 = exponent.parse().map_err(|_| too_long())?;
    let digits = format!("{whole}{places}");
    // Digits before the point; below 0, zeros behind it.
    let point = i64::try_from(whole.len()).unwrap_or(i64::MAX).saturating_add(exponent);
    let length = i64::try_from(digits.len()).unwrap_or(i64::MAX);
    let limit = i64::try_from(MAX_NUMBER_DIGITS).unwrap_or(i64::MAX);
    if length > limit || point > limit || length.saturating_sub(point) > limit {
        return Err(too_long());
    }
    let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or_default());
    let padded = format!("{}{digits}{}", zeros(-point), zeros(point - length));
    let (whole, places) = padded.split_at(usize::try_from(point).unwrap_or_default().min(padded.len()));
    let whole = whole.trim_start_matches('0');
    if negative && digits.bytes().any(|digit| digit != b'0') {
        out.push('-');
    }
    out.push_str(if whole.is_empty() { "0" } else { whole });
    if !places.is_empty() {
        out.push('.');
        out.push_str(places);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_that_say_the_same_are_the_same() {
        for (text, wanted) in [
            (" { \"bb\" : 1 , \"a\" : [ true , null ,\"x\" ] } ", r#"{"a":[true,null,"x"],"bb":1}"#),
            (r#"{"b":1,"a":2,"b":3}"#, r#"{"a":2,"b":3}"#),
            (r#"{"é":1,"zz":2,"y":3}"#, r#"{"y":3,"zz":2,"é":1}"#),
            (r#"["\u00e9\/\n\u001f\u0000"]"#, "[\"é/\\n\\u001f\\u0000\"]"),
            (r#""a\"b\\""#, r#""a\"b\\""#),
            ("[]", "[]"),
            ("{}", "{}"),
            ("[[],{}]", "[[],{}]"),
            ("12", "12"),
        ] {
            assert_eq!(normal(text).as_deref(), Ok(wanted), "{text}");
            assert_eq!(normal(wanted).as_deref(), Ok(wanted), "{wanted}");
        }
    }

    #[test]
    fn numbers_keep_their_digits_and_lose_their_exponent() {
        for (text, wanted) in [
            ("1e3", "1000"),
            ("1.50", "1.50"),
            ("1.50e1", "15.0"),
            ("1.5E+3", "1500"),
            ("0.5e3", "500"),
            ("1e-2", "0.01"),
            ("-12.5e-4", "-0.00125"),
            ("-0", "0"),
            ("-0.0", "0.0"),
            ("0e5", "0"),
            ("12345678901234567890.123", "12345678901234567890.123"),
        ] {
            assert_eq!(normal(text).as_deref(), Ok(wanted), "{text}");
        }
        for long in ["1e1000", "1e-1001", "1e99999999999999999999", "1e-9223372036854775808"] {
            assert!(normal(long).is_err(), "{long}");
        }
        assert!(normal("1e300").is_ok_and(|number| number.len() == 301));
    }

    #[test]
    fn halves_of_pairs_are_refused_and_nul_is_found() {
        assert!(normal(r#""\ud800""#).is_err());
        assert!(holds_nul(r#"["\u0000"]"#));
        assert!(holds_nul(r#"["\\\u0000"]"#));
        assert!(!holds_nul(r#"["\\u0000"]"#));
    }
}
