//! The request. Its head arrives as one packed buffer and is read only where somebody asks.

use http::Method;
use minicbor::Decoder;

use super::Body;
use crate::bindings::covet::http::types as wit;
use crate::wire::{DecodeError, array};

/// A whole request, as an argument of a handler. It reads nothing before it is asked to.
#[derive(Debug)]
pub struct Request {
    /// `[method, target, params, headers, remote]`
    head: Vec<u8>,
    body: Body,
    names: &'static [&'static str],
}

impl Request {
    pub(crate) fn new(request: wit::Request) -> Self {
        Request { head: request.head, body: Body::from_wire(request.body), names: &[] }
    }

    /// For the route macros: the names of the path's parameters.
    #[doc(hidden)]
    pub fn named(mut self, names: &'static [&'static str]) -> Self {
        self.names = names;
        self
    }

    pub(crate) fn names(&self) -> &'static [&'static str] {
        self.names
    }

    pub(crate) fn empty(names: &'static [&'static str]) -> Self {
        Request { head: Vec::new(), body: Body::empty(), names }
    }

    /// The decoder, before the item at this index of the head.
    fn part(&self, index: usize) -> Result<Decoder<'_>, DecodeError> {
        let mut d = Decoder::new(&self.head);
        array(&mut d)?;
        for _ in 0..index {
            d.skip()?;
        }
        Ok(d)
    }

    /// The method.
    pub fn method(&self) -> Method {
        let name = self.part(0).and_then(|mut d| d.str()).unwrap_or("GET");
        Method::from_bytes(name.as_bytes()).unwrap_or(Method::GET)
    }

    /// Path and query as the client sent them, percent-encoded.
    pub fn target(&self) -> &str {
        self.part(1).and_then(|mut d| d.str()).unwrap_or("/")
    }

    /// The path as the client sent it, with the plugin's mount, percent-encoded.
    pub fn path(&self) -> &str {
        self.target().split('?').next().unwrap_or("/")
    }

    /// What stands behind the `?`, percent-encoded; empty without one.
    pub fn query(&self) -> &str {
        self.target().split_once('?').map_or("", |(_, query)| query)
    }

    /// The path's parameter at this index, percent-decoded.
    pub fn param_at(&self, index: usize) -> Option<&str> {
        self.params().nth(index)
    }

    /// The path's parameter of this name, percent-decoded.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.param_at(self.names.iter().position(|n| *n == name)?)
    }

    pub(crate) fn params(&self) -> impl Iterator<Item = &str> {
        let mut d = self.part(2).unwrap_or_else(|_| Decoder::new(&[]));
        let count = array(&mut d).unwrap_or(0);
        (0..count).map_while(move |_| d.str().ok())
    }

    /// The first value of a header, where it is text. Names are lower-case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers().find(|(n, _)| *n == name).and_then(|(_, value)| std::str::from_utf8(value).ok())
    }

    /// All headers in the order they came; names are lower-case.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let mut d = self.part(3).unwrap_or_else(|_| Decoder::new(&[]));
        let count = array(&mut d).unwrap_or(0);
        (0..count).map_while(move |_| {
            array(&mut d).ok()?;
            Some((d.str().ok()?, d.bytes().ok()?))
        })
    }

    /// The client's address, as the host sees it.
    pub fn remote(&self) -> &str {
        self.part(4).and_then(|mut d| d.str()).unwrap_or("")
    }

    /// The content. Taken once; after that it is empty.
    pub fn take_body(&mut self) -> Body {
        std::mem::take(&mut self.body)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::wire::put;

    /// A request as the host packs it.
    pub(crate) fn request(
        target: &str,
        names: &'static [&'static str],
        params: &[&str],
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Request {
        let mut head = Vec::new();
        let mut e = put(&mut head);
        let _ = e.array(5).and_then(|e| e.str("POST")).and_then(|e| e.str(target));
        let _ = e.array(params.len() as u64);
        for param in params {
            let _ = e.str(param);
        }
        let _ = e.array(headers.len() as u64);
        for (name, value) in headers {
            let _ = e.array(2).and_then(|e| e.str(name)).and_then(|e| e.bytes(value.as_bytes()));
        }
        let _ = e.str("10.0.0.1:5000");
        Request { head, body: Body::from(body.to_vec()), names }
    }

    #[test]
    fn each_part_of_the_head_is_found() {
        let request =
            request("/posts/7?page=2", &["id"], &["7"], &[("accept", "text/html"), ("x-a", "1"), ("x-a", "2")], b"");
        assert_eq!(request.method(), Method::POST);
        assert_eq!(request.path(), "/posts/7");
        assert_eq!(request.query(), "page=2");
        assert_eq!(request.param("id"), Some("7"));
        assert_eq!(request.param("no"), None);
        assert_eq!(request.header("x-a"), Some("1"));
        assert_eq!(request.headers().count(), 3);
        assert_eq!(request.remote(), "10.0.0.1:5000");
    }

    #[test]
    fn a_malformed_head_reads_as_empty_and_does_not_panic() {
        for head in [vec![], vec![0xff], vec![0x85, 0x63], vec![0x85, 0x61, b'G', 0x61, b'/', 0x9a, 0xff]] {
            let request = Request { head, body: Body::empty(), names: &["id"] };
            let _ = (request.method(), request.target(), request.param("id"), request.header("a"), request.remote());
            assert_eq!(request.headers().count(), 0);
        }
    }
}
