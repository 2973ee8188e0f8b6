//! Entry for `cargo fuzz`: any bytes as routes and as a path.

use covet_runtime::{Method, Route};

use super::{Mounted, Table};

/// The first line of `bytes` is a path, the others are patterns; builds a table and looks the path up. Must not panic.
pub fn match_any(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines();
    let path = lines.next().unwrap_or_default();
    let mut routes: Vec<Route> = Vec::new();
    for line in lines.take(64) {
        let route = Route { method: Method::Get, path: line.to_owned(), handler: String::new(), stream_body: false };
        routes.push(route);
        let mounted = Mounted { name: "a", generation: 1, host: None, mount: "/", routes: &routes };
        if Table::build(&[mounted]).is_err() {
            routes.pop();
        }
    }
    let mounted = Mounted { name: "a", generation: 1, host: None, mount: "/", routes: &routes };
    if let Ok(table) = Table::build(&[mounted]) {
        let _ = table.find("localhost", path);
    }
}
