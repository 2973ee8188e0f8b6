//! Server-sent events (WHATWG HTML, section 9.2).

use std::fmt::Write;
use std::time::Duration;

use futures::{Stream, StreamExt};
use serde::Serialize;

use super::{Body, IntoResponse, Response};
use crate::Result;

/// One event of an [`Sse`] stream.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Event {
    text: String,
}

impl Event {
    /// With this data; each line of it is sent as one.
    pub fn data(data: impl AsRef<str>) -> Self {
        let mut event = Event::default();
        event.lines("data", data.as_ref());
        event
    }

    /// With this value as JSON.
    ///
    /// # Errors
    /// When the value cannot be JSON.
    pub fn json(value: &impl Serialize) -> Result<Self> {
        Ok(Event::data(serde_json::to_string(value)?))
    }

    /// A comment, which clients ignore: it keeps a quiet connection alive through proxies.
    pub fn comment(text: impl AsRef<str>) -> Self {
        let mut event = Event::default();
        event.lines("", text.as_ref());
        event
    }

    /// The comment to send every 15 seconds or so while there is no news.
    pub fn keep_alive() -> Self {
        Event::comment("keep-alive")
    }

    /// With a name: what the client listens for; `message` without one.
    pub fn event(mut self, name: impl AsRef<str>) -> Self {
        self.line("event", name.as_ref());
        self
    }

    /// With an id, which the client sends back as `last-event-id` when it reconnects.
    pub fn id(mut self, id: impl AsRef<str>) -> Self {
        self.line("id", &id.as_ref().replace('\0', ""));
        self
    }

    /// How long the client is to wait before it reconnects.
    pub fn retry(mut self, wait: Duration) -> Self {
        let _ = writeln!(self.text, "retry: {}", wait.as_millis());
        self
    }

    /// A value of one line: what follows a line break would be another field.
    fn line(&mut self, field: &str, value: &str) {
        let value = value.split(['\r', '\n']).next().unwrap_or("");
        let _ = writeln!(self.text, "{field}: {value}");
    }

    fn lines(&mut self, field: &str, value: &str) {
        // CR, LF and CRLF all end a line of the stream.
        for line in value.replace("\r\n", "\n").split(['\r', '\n']) {
            let _ = writeln!(self.text, "{field}: {line}");
        }
    }

    fn finish(mut self) -> Vec<u8> {
        self.text.push('\n');
        self.text.into_bytes()
    }
}

/// A response of server-sent events, sent as the stream gives them.
///
/// ```
/// use covet::futures::{StreamExt, stream};
/// use covet::prelude::*;
///
/// #[get("/ticks")]
/// async fn ticks() -> Sse {
///     Sse::new(stream::iter(0..10).map(|n| Event::data(format!("tick {n}")).id(n.to_string())))
/// }
/// ```
#[derive(Debug)]
#[must_use]
pub struct Sse(Body);

impl Sse {
    /// Sends these events.
    pub fn new(events: impl Stream<Item = Event> + 'static) -> Self {
        Sse(Body::stream(events.map(Event::finish)))
    }
}

impl IntoResponse for Sse {
    fn into_response(self) -> Response {
        Response::new(self.0).header("content-type", "text/event-stream").header("cache-control", "no-cache")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_its_fields_and_an_empty_line() {
        let event = Event::data("one\ntwo\r\nthree").event("news").id("7").retry(Duration::from_secs(3));
        assert_eq!(
            String::from_utf8(event.finish()).unwrap(),
            "data: one\ndata: two\ndata: three\nevent: news\nid: 7\nretry: 3000\n\n"
        );
        assert_eq!(Event::keep_alive().finish(), b": keep-alive\n\n");
    }

    #[test]
    fn a_name_cannot_smuggle_a_second_field() {
        assert_eq!(Event::data("x").event("a\ndata: y").finish(), b"data: x\nevent: a\n\n");
    }
}
