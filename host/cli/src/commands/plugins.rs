//! `covet plugins …` and `covet routes`: what a running host serves.

use serde_json::Value;

use crate::admin::Target;
use crate::args::{PluginCommand, Plugins};
use crate::commands::deploy::escape;
use crate::outcome::Result;
use crate::output::{Output, table};

pub fn run(args: &Plugins, output: Output) -> Result<()> {
    let admin = args.target.connect()?;
    let at = |name: &str| format!("/v1/plugins/{}", escape(name));
    match &args.command {
        PluginCommand::List => {
            let answer = admin.get("/v1/plugins")?;
            output.result(&answer, || list(&answer));
        }
        PluginCommand::Show { name } => {
            let answer = admin.get(&at(name))?;
            output.result(&answer, || outline(&answer));
        }
        PluginCommand::Rollback { name } => {
            let answer = admin.post(&format!("{}/rollback", at(name)))?;
            output.result(&answer, || format!("{name} is back on generation {}", answer["generation"]));
        }
        PluginCommand::Remove { name } => {
            let answer = admin.delete(&at(name))?;
            output.result(&answer, || format!("{name} is no longer served; its tables and rows stay"));
        }
    }
    Ok(())
}

pub fn routes(target: &Target, output: Output) -> Result<()> {
    let answer = target.connect()?.get("/v1/routes")?;
    output.result(&answer, || {
        let rows = items(&answer, "routes");
        let rows = rows.iter().map(|route| cells(route, &["method", "path", "plugin", "handler"])).collect::<Vec<_>>();
        table(&["METHOD", "PATH", "PLUGIN", "HANDLER"], &rows)
    });
    Ok(())
}

fn list(answer: &Value) -> String {
    let plugins = items(answer, "plugins");
    if plugins.is_empty() {
        return "no plugins; `covet deploy` brings one".to_owned();
    }
    let keys = ["name", "generation", "version", "mount", "routes", "digest"];
    let rows = plugins.iter().map(|plugin| cells(plugin, &keys)).collect::<Vec<_>>();
    table(&["NAME", "GENERATION", "VERSION", "MOUNT", "ROUTES", "DIGEST"], &rows)
}

/// The list itself, or under `key`.
fn items<'a>(answer: &'a Value, key: &str) -> &'a [Value] {
    answer.as_array().or_else(|| answer[key].as_array()).map(Vec::as_slice).unwrap_or_default()
}

fn cells(item: &Value, keys: &[&str]) -> Vec<String> {
    keys.iter()
        .map(|&key| match &item[key] {
            Value::Null => "-".to_owned(),
            Value::String(text) if key == "digest" => text.chars().take(12).collect(),
            Value::String(text) => text.clone(),
            Value::Array(list) => list.len().to_string(),
            other => other.to_string(),
        })
        .collect()
}

/// Key and value a line; lists of objects as one line an entry.
fn outline(answer: &Value) -> String {
    let mut text = String::new();
    for (key, value) in answer.as_object().into_iter().flatten() {
        match value {
            Value::Array(list) => {
                text.push_str(&format!("{key}:\n"));
                for entry in list {
                    text.push_str(&format!("  {}\n", inline(entry)));
                }
            }
            other => text.push_str(&format!("{key}: {}\n", inline(other))),
        }
    }
    text
}

fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(fields) => {
            let shown = fields.iter().filter(|(_, value)| !value.is_null());
            shown.map(|(key, value)| format!("{key} {}", inline(value))).collect::<Vec<_>>().join("  ")
        }
        Value::Array(list) => list.iter().map(inline).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}
