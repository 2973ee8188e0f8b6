//! Text and bytes with a meaning: checked when they are made, so that what a model holds is well-formed.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use minicbor::Decoder;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::field::{Field, Ordered, Scalar, Textual, scalar};
use super::meta::Kind;
use crate::wire::{DecodeError, put};

/// Why a text is not an e-mail address or a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidText {
    what: &'static str,
    text: String,
    reason: &'static str,
}

impl fmt::Display for InvalidText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not {}: {}", self.text, self.what, self.reason)
    }
}

impl std::error::Error for InvalidText {}

impl From<InvalidText> for crate::Error {
    fn from(error: InvalidText) -> Self {
        crate::Error::new(http::StatusCode::UNPROCESSABLE_ENTITY, "invalid", error.to_string())
    }
}

/// An e-mail address, lower-cased: at most 254 characters, `local@domain`, the domain with a dot (RFC 5321 sizes;
/// quoted local parts and address literals are refused).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Email(String);

impl Email {
    /// The most characters an address may have (RFC 5321, 4.5.3.1.3, less the angle brackets).
    pub const MAX: usize = 254;

    /// Checks and lower-cases.
    ///
    /// # Errors
    /// With the rule that the text breaks.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidText> {
        let text = text.into();
        match Self::fault(&text) {
            None => Ok(Email(text.to_lowercase())),
            Some(reason) => Err(InvalidText { what: "an e-mail address", text, reason }),
        }
    }

    fn fault(text: &str) -> Option<&'static str> {
        if text.len() > Self::MAX {
            return Some("longer than 254 characters");
        }
        let Some((local, domain)) = text.split_once('@') else {
            return Some("it has no @");
        };
        let word = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
        if local.is_empty() || local.len() > 64 || !local.chars().all(word) {
            return Some("what stands before the @ is empty, too long or has a character that is not allowed");
        }
        if local.starts_with('.') || local.ends_with('.') || local.contains("..") {
            return Some("what stands before the @ has a dot at its end or two in a row");
        }
        let label = |l: &str| {
            !l.is_empty()
                && l.len() <= 63
                && !l.starts_with('-')
                && !l.ends_with('-')
                && l.chars().all(|c| c.is_alphanumeric() || c == '-')
        };
        if !domain.contains('.') || !domain.split('.').all(label) {
            return Some("what stands behind the @ is not a domain name");
        }
        None
    }
}

/// A web address: `http://` or `https://`, at most 2,048 characters, a host, no white space.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Url(String);

impl Url {
    /// The most characters a URL may have.
    pub const MAX: usize = 2_048;

    /// Checks.
    ///
    /// # Errors
    /// With the rule that the text breaks.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidText> {
        let text = text.into();
        match Self::fault(&text) {
            None => Ok(Url(text)),
            Some(reason) => Err(InvalidText { what: "a URL", text, reason }),
        }
    }

    fn fault(text: &str) -> Option<&'static str> {
        if text.chars().count() > Self::MAX {
            return Some("longer than 2,048 characters");
        }
        let rest = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https") => rest,
            _ => return Some("it must start with http:// or https://"),
        };
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Some("it has white space or control characters");
        }
        match rest.split(['/', '?', '#']).next() {
            None | Some("") => Some("it names no host"),
            Some(_) => None,
        }
    }
}

/// A name that may stand in a URL's path as it is: ASCII letters and digits, `-` and `_`; at most 50 characters unless
/// `#[field(max_length = n)]` says otherwise.
///
/// ```
/// # use covet::prelude::*;
/// assert_eq!(Slug::of("Größe & Gewicht: Über Öfen").as_str(), "grosse-gewicht-uber-ofen");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slug(String);

impl Slug {
    /// The most characters of a field that does not say otherwise.
    pub const MAX: u32 = 50;

    /// Checks.
    ///
    /// # Errors
    /// With the rule that the text breaks.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidText> {
        let text = text.into();
        let fits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        match fits {
            true => Ok(Slug(text)),
            false => {
                let reason = "it must have a character, and only ASCII letters and digits, - and _";
                Err(InvalidText { what: "a slug", text, reason })
            }
        }
    }

    /// Makes one of any text: lower case, letters of the Latin script without their marks, all else a single `-`; cut to 50
    /// characters. A text without a letter or digit of that script gives `n-a`.
    pub fn of(text: &str) -> Self {
        let mut slug = String::with_capacity(text.len());
        for c in text.chars().flat_map(char::to_lowercase) {
            let plain = match c {
                'a'..='z' | '0'..='9' | '_' => {
                    slug.push(c);
                    continue;
                }
                'à'..='å' | 'ā' | 'ă' | 'ą' => "a",
                'æ' => "ae",
                'ç' | 'ć' | 'č' => "c",
                'ď' | 'đ' => "d",
                'è'..='ë' | 'ē' | 'ė' | 'ę' | 'ě' => "e",
                'ğ' => "g",
                'ì'..='ï' | 'ī' | 'į' | 'ı' => "i",
                'ł' | 'ľ' => "l",
                'ñ' | 'ń' | 'ň' => "n",
                'ò'..='ö' | 'ø' | 'ō' | 'ő' => "o",
                'œ' => "oe",
                'ř' => "r",
                'ś' | 'š' | 'ş' => "s",
                'ß' => "ss",
                'ť' | 'ţ' => "t",
                'ù'..='ü' | 'ū' | 'ů' | 'ű' => "u",
                'ý' | 'ÿ' => "y",
                'ź' | 'ż' | 'ž' => "z",
                // What lower case leaves beside a letter (the dot of `İ`), and apostrophes: it's, not it-s.
                '\u{300}'..='\u{36f}' | '\'' | '’' => continue,
                _ if slug.is_empty() || slug.ends_with('-') => continue,
                _ => "-",
            };
            slug.push_str(plain);
        }
        slug.truncate(Self::MAX as usize);
        let slug = slug.trim_end_matches('-');
        Slug(if slug.is_empty() { "n-a".into() } else { slug.into() })
    }
}

macro_rules! checked_text {
    ($($ty:ident, $kind:expr;)*) => {$(
        impl $ty {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
            /// The text, for the caller to keep.
            pub fn into_string(self) -> String {
                self.0
            }
        }
        impl Deref for $ty {
            type Target = str;
            fn deref(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $ty {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl FromStr for $ty {
            type Err = InvalidText;
            fn from_str(text: &str) -> Result<Self, InvalidText> {
                $ty::new(text)
            }
        }
        impl TryFrom<String> for $ty {
            type Error = InvalidText;
            fn try_from(text: String) -> Result<Self, InvalidText> {
                $ty::new(text)
            }
        }
        impl TryFrom<&str> for $ty {
            type Error = InvalidText;
            fn try_from(text: &str) -> Result<Self, InvalidText> {
                $ty::new(text)
            }
        }
        impl Serialize for $ty {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.0.serialize(serializer)
            }
        }
        impl<'de> Deserialize<'de> for $ty {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $ty::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }
        scalar! {
            // What the database holds was checked when it was stored, perhaps by an older rule: it is read as it is.
            $ty: $kind, [Ordered, Textual], |v, out| put(out).str(&v.0), |d| d.str().map(|text| $ty(text.into())), |v, s| v.serialize(s);
        }
    )*};
}

checked_text! {
    Email, Kind::Email;
    Url, Kind::Url;
    Slug, Kind::Slug(Slug::MAX);
}

/// Bytes. In JSON base64 (RFC 4648, section 4). `Vec<u8>` works as a field as well.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Binary(pub Vec<u8>);

impl Deref for Binary {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}
impl From<Vec<u8>> for Binary {
    fn from(bytes: Vec<u8>) -> Self {
        Binary(bytes)
    }
}
impl From<&[u8]> for Binary {
    fn from(bytes: &[u8]) -> Self {
        Binary(bytes.into())
    }
}
impl Serialize for Binary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Base64(&self.0))
    }
}
impl<'de> Deserialize<'de> for Binary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use base64::Engine;
        let text = String::deserialize(deserializer)?;
        base64::engine::general_purpose::STANDARD.decode(text).map(Binary).map_err(serde::de::Error::custom)
    }
}
scalar! {
    Binary: Kind::Binary, [], |v, out| put(out).bytes(&v.0), |d| d.bytes().map(|bytes| Binary(bytes.into())), |v, s| v.serialize(s);
}

/// Bytes as base64.
pub(crate) struct Base64<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Base64<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use base64::{display::Base64Display, engine::general_purpose::STANDARD};
        Base64Display::new(self.0, &STANDARD).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_lower_cased_and_malformed_ones_refused_with_the_rule() {
        assert_eq!(Email::new("Ada.Lovelace+x@Example.ORG").unwrap().as_str(), "ada.lovelace+x@example.org");
        for bad in ["", "ada", "@x.org", "a@x", "a b@x.org", "a@-x.org", "a..b@x.org", "a@x..org", "a@b@c.org"] {
            assert!(Email::new(bad).is_err(), "{bad}");
        }
        let long = format!("{}@example.org", "a".repeat(250));
        assert!(Email::new(long).unwrap_err().to_string().contains("254"));
    }

    #[test]
    fn urls_need_a_scheme_and_a_host() {
        for good in ["http://x", "https://example.org/a?b#c", "HTTPS://example.org"] {
            assert!(Url::new(good).is_ok(), "{good}");
        }
        for bad in ["", "example.org", "ftp://x", "javascript:alert(1)", "http://", "http:///x", "http://a b"] {
            assert!(Url::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn slugs_are_checked_and_made_of_any_text() {
        assert!(Slug::new("a-B_9").is_ok());
        for bad in ["", "a b", "ä", "a/b"] {
            assert!(Slug::new(bad).is_err(), "{bad}");
        }
        for (text, slug) in [
            ("On looms, again!", "on-looms-again"),
            ("  --  ", "n-a"),
            ("日本", "n-a"),
            ("Łódź İs", "lodz-is"),
            ("It's", "its"),
        ] {
            assert_eq!(Slug::of(text).as_str(), slug, "{text}");
        }
        let long = Slug::of(&"ab ".repeat(50));
        assert!(long.len() <= 50 && Slug::new(long.into_string()).is_ok());
    }

    #[test]
    fn bytes_are_base64_in_json() {
        assert_eq!(serde_json::to_string(&Binary(vec![0xff, 0])).unwrap(), "\"/wA=\"");
        assert_eq!(serde_json::from_str::<Binary>("\"/wA=\"").unwrap().0, [0xff, 0]);
    }
}
