//! Which host a request is for (RFC 9110 §7.2, RFC 9112 §3.2).

use hyper::{Request, Version, header};

/// The authority as sent, with its port; empty when there need not be one.
///
/// # Errors
/// Why the request is refused with 400: none or several where one is required, or text that is no authority.
pub(super) fn of<B>(request: &Request<B>) -> Result<&str, &'static str> {
    // Absolute form, or `:authority` of HTTP/2: it wins over the header.
    let target = request.uri().authority().map(http::uri::Authority::as_str);
    let mut given = request.headers().get_all(header::HOST).iter();
    let first = given.next();
    if given.next().is_some() {
        return Err("the request has several Host headers");
    }
    let first = match first {
        None if target.is_none() && request.version() == Version::HTTP_11 => {
            return Err("the request has no Host header");
        }
        None => None,
        Some(value) => {
            let text = value.to_str().map_err(|_| "the Host header is not ASCII")?;
            if !is_authority(text) {
                return Err("the Host header is not a host name with an optional port");
            }
            Some(text)
        }
    };
    match target {
        Some(target) if !is_authority(target) => Err("the target's authority is not a host name with an optional port"),
        Some(target) => Ok(target),
        None => Ok(first.unwrap_or_default()),
    }
}

/// What may stand in an authority without user name: no slash, no at, no space.
fn is_authority(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:[]%!$&'()*+,;=".contains(&byte))
}

/// Without port, in lower case.
pub(super) fn name(authority: &str) -> String {
    let end = match authority.rfind(':') {
        // A colon inside of brackets belongs to an IPv6 address.
        Some(colon) if !authority.get(colon..).is_some_and(|rest| rest.contains(']')) => colon,
        _ => authority.len(),
    };
    authority.get(..end).unwrap_or_default().trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_compared_without_port_and_case() {
        assert_eq!(name("Example.COM:8000"), "example.com");
        assert_eq!(name("example.com."), "example.com");
        assert_eq!(name("[::1]:80"), "[::1]");
        assert_eq!(name("[::1]"), "[::1]");
    }

    #[test]
    fn several_hosts_or_none_are_refused() {
        let request = |hosts: &[&str]| {
            let mut request = Request::builder().uri("/");
            for host in hosts {
                request = request.header("host", *host);
            }
            request.body(()).unwrap()
        };
        assert_eq!(of(&request(&["a"])), Ok("a"));
        for bad in [&[][..], &["a", "a"], &["a/b"], &["u@a"], &["a b"]] {
            assert!(of(&request(bad)).is_err(), "{bad:?}");
        }
    }
}
