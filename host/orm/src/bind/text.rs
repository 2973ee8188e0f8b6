//! Rules for texts with a form: e-mail addresses, URLs, JSON documents. All linear in the length of the text.

use serde::de::IgnoredAny;

/// Longest e-mail address, characters (RFC 5321 §4.5.3.1.3: a path of 256 with its brackets).
pub const MAX_EMAIL: usize = 254;
/// Longest part before the `@`, octets (RFC 5321 §4.5.3.1.1).
const MAX_EMAIL_LOCAL: usize = 64;
/// Longest URL, characters.
pub const MAX_URL: usize = 2_048;
/// Largest JSON document, bytes.
pub const MAX_JSON_BYTES: usize = 1024 * 1024;
/// Deepest JSON document: an array or object is one level.
pub const MAX_JSON_DEPTH: usize = 20;

/// Checks an e-mail address that is lower-cased already.
pub(super) fn check_email(text: &str) -> Result<(), String> {
    let length = text.chars().count();
    if length > MAX_EMAIL {
        return Err(format!("an e-mail address has at most {MAX_EMAIL} characters, this one has {length}"));
    }
    let refused = || Err("is not an e-mail address: write it as name@example.com".to_owned());
    let Some((local, domain)) = text.rsplit_once('@') else {
        return refused();
    };
    let local_fits = !local.is_empty()
        && local.len() <= MAX_EMAIL_LOCAL
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && local.chars().all(|c| c.is_alphanumeric() || ".!#$%&'*+-/=?^_`{|}~".contains(c));
    let domain_fits = domain.contains('.')
        && domain.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        });
    if local_fits && domain_fits { Ok(()) } else { refused() }
}

/// Checks that a text is an absolute `http` or `https` URL with a host (RFC 3986 §3).
pub(super) fn check_url(text: &str) -> Result<(), String> {
    let length = text.chars().count();
    if length > MAX_URL {
        return Err(format!("a URL has at most {MAX_URL} characters, this one has {length}"));
    }
    let after = |scheme: &str| {
        text.get(..scheme.len()).filter(|head| head.eq_ignore_ascii_case(scheme)).and_then(|_| text.get(scheme.len()..))
    };
    let Some(rest) = after("https://").or_else(|| after("http://")) else {
        return Err("is not a URL: it must begin with http:// or https://".to_owned());
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    if host.is_empty() || host.starts_with(':') {
        return Err("is not a URL: no host follows http:// or https://".to_owned());
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("is not a URL: spaces and control characters must be percent-encoded".to_owned());
    }
    Ok(())
}

/// Longest text of an IP address: IPv6 with an IPv4 tail, `0000:…:ffff:255.255.255.255`.
pub(crate) const MAX_IP: usize = 45;

/// An address in its canonical form (RFC 5952 for IPv6).
pub(super) fn canonical_ip(text: &str) -> Result<String, String> {
    match text.parse::<std::net::IpAddr>() {
        Ok(address) => Ok(address.to_string()),
        Err(_) => Err("is not an IP address: write it as 192.0.2.1 or 2001:db8::1".to_owned()),
    }
}

/// Checks that a text may stand in a URL's path as it is: ASCII letters and digits, `-` and `_`.
pub(super) fn check_slug(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("is empty: a slug has a character at least".to_owned());
    }
    match text.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))) {
        None => Ok(()),
        Some(bad) => Err(format!("has {bad:?}: a slug has ASCII letters and digits, - and _ only")),
    }
}

/// Checks that a text is one JSON document within the limits. Builds no tree.
pub(super) fn check_json(text: &str) -> Result<(), String> {
    if text.len() > MAX_JSON_BYTES {
        return Err(format!("a JSON document has at most {MAX_JSON_BYTES} bytes, this one has {}", text.len()));
    }
    // Depth first, by counting brackets: the parser below recurses, and is safe once the depth is known.
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    if deepest > MAX_JSON_DEPTH {
        return Err(format!("a JSON document is at most {MAX_JSON_DEPTH} levels deep, this one has {deepest}"));
    }
    serde_json::from_str::<IgnoredAny>(text).map(|_| ()).map_err(|fault| format!("is not JSON: {fault}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_what_only_looks_like_one() {
        for good in ["a@b.example", "first.last+tag@sub.example.org", "ünï@dömain.example"] {
            assert_eq!(check_email(good), Ok(()), "{good}");
        }
        let long = format!("{}@example.com", "a".repeat(65));
        for bad in
            ["", "a", "@b.example", "a@", "a@b", "a b@c.example", "a@-b.example", "a..b@c.example", "a@b..c", &long]
        {
            assert!(check_email(bad).is_err(), "{bad}");
        }
        let too_long = format!("a@{}.example", "b.".repeat(130));
        assert!(check_email(&too_long).is_err_and(|reason| reason.contains("254")));
    }

    #[test]
    fn urls_need_a_scheme_and_a_host() {
        for good in ["http://a", "https://example.org/x?y=1#z", "HTTPS://user:pw@host:8080/"] {
            assert_eq!(check_url(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "ftp://a",
            "http:/a",
            "http://",
            "https:///x",
            "http://:80",
            "http://a b",
            "javascript:alert(1)",
            "http:é",
        ] {
            assert!(check_url(bad).is_err(), "{bad}");
        }
        assert!(check_url(&format!("http://{}", "a".repeat(MAX_URL))).is_err());
    }

    #[test]
    fn slugs_and_ip_addresses_have_one_form() {
        assert_eq!(check_slug("On-looms_2"), Ok(()));
        for bad in ["", "a b", "ü", "a/b", "a.b"] {
            assert!(check_slug(bad).is_err(), "{bad}");
        }
        for (written, stored) in [
            ("192.0.2.1", "192.0.2.1"),
            ("2001:0DB8:0:0::1", "2001:db8::1"),
            ("::FFFF:192.0.2.1", "::ffff:192.0.2.1"),
            ("::", "::"),
        ] {
            assert_eq!(canonical_ip(written).as_deref(), Ok(stored));
        }
        for bad in ["", "192.0.2", "192.0.2.256", "192.0.2.01", "1.2.3.4/8", "fe80::1%eth0", "[::1]", "x"] {
            assert!(canonical_ip(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn json_is_checked_for_form_depth_and_size() {
        assert_eq!(check_json(r#"{"a":[1,2,{"b":"}]\"["}]}"#), Ok(()));
        assert_eq!(check_json(&format!("{}{}", "[".repeat(20), "]".repeat(20))), Ok(()));
        assert!(
            check_json(&format!("{}{}", "[".repeat(21), "]".repeat(21)))
                .is_err_and(|reason| reason.contains("20 levels"))
        );
        assert!(check_json(&"[".repeat(500_000)).is_err());
        assert!(check_json("{'a':1}").is_err());
        assert!(check_json("1 2").is_err());
        assert!(
            check_json(&format!("\"{}\"", "a".repeat(MAX_JSON_BYTES))).is_err_and(|reason| reason.contains("bytes"))
        );
    }
}
