//! `covet deploy`: a project or a `.wasm` onto a running host.

use std::path::Path;

use serde_json::Value;

use crate::admin::Admin;
use crate::args::Deploy;
use crate::component::{self, MANIFEST_SECTION};
use crate::outcome::{Failure, Result};
use crate::output::{Output, bytes};
use crate::{build, project};

pub fn run(args: &Deploy, output: Output) -> Result<()> {
    let admin = args.target.connect()?;
    let is_file = args.path.is_file();
    let (wasm, name) = if is_file { read(&args.path)? } else { built(&args.path, output)? };
    let name = args.name.clone().or(name).ok_or_else(|| {
        Failure::usage("no-name", format!("{} carries no plugin.toml, so it has no name", args.path.display()))
            .hint("name it: covet deploy FILE --name NAME; `covet build` puts plugin.toml inside")
    })?;
    let spinner = output.spinner(format!("deploying {name} ({})", bytes(wasm.len() as u64)));
    let answer = put(&admin, &name, args.mount.as_deref(), &wasm)?;
    drop(spinner);
    output.result(&answer, || told(&answer));
    Ok(())
}

/// Sends a plugin to a host.
pub fn put(admin: &Admin, name: &str, mount: Option<&str>, wasm: &[u8]) -> Result<Value> {
    let query = mount.map_or_else(String::new, |mount| format!("?mount={}", escape(mount)));
    admin.put(&format!("/v1/plugins/{}{query}", escape(name)), wasm)
}

/// One line about a deploy's answer.
pub fn told(answer: &Value) -> String {
    let text = |key: &str| answer[key].as_str().unwrap_or("?").to_owned();
    let routes = answer["routes"].as_u64().or_else(|| answer["routes"].as_array().map(|routes| routes.len() as u64));
    let compiled = match answer["cached"].as_bool() {
        Some(true) => "code from the cache".to_owned(),
        _ => format!("compiled in {} ms", answer["compile_ms"].as_f64().unwrap_or_default().round()),
    };
    format!(
        "deployed {}, generation {}, {} routes, {compiled}",
        text("plugin"),
        answer["generation"],
        routes.unwrap_or_default()
    )
}

fn read(path: &Path) -> Result<(Vec<u8>, Option<String>)> {
    let wasm = std::fs::read(path).map_err(Failure::io("reading", path))?;
    if !component::is_component(&wasm) {
        let what = if component::is_wasm(&wasm) { "a core module, not a component" } else { "not WebAssembly" };
        return Err(Failure::failed("not-a-component", format!("{} is {what}", path.display()))
            .hint("deploy what `covet build` wrote: target/covet/NAME.wasm"));
    }
    let manifest = component::section(&wasm, MANIFEST_SECTION).and_then(|text| std::str::from_utf8(text).ok());
    let name = manifest.and_then(|text| project::manifest_name(path, text).ok());
    Ok((wasm, name))
}

fn built(path: &Path, output: Output) -> Result<(Vec<u8>, Option<String>)> {
    let project = project::Project::find(path)?;
    let built = build::build(&project, output.is_json())?;
    output.note(&built.text());
    let wasm = std::fs::read(&built.path).map_err(Failure::io("reading", &built.path))?;
    Ok((wasm, Some(built.name)))
}

/// A path segment or query value: all but unreserved characters percent-encoded (RFC 3986 §2.3).
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(byte as char),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_survives_the_query_string() {
        assert_eq!(escape("/a b&c"), "%2Fa%20b%26c");
    }
}
