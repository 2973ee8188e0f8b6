//! `covet plugins …` and `covet routes`: what a running host serves.

use serde_json::Value;

use crate::admin::Target;
use crate::args::{PluginCommand, Plugins};
use crate::commands::deploy::escape;
use crate::outcome::Result;
use crate::output::{Output, table, timestamp};

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
    let row = |plugin: &Value| {
        let mut row = cells(plugin, &["plugin", "generation", "version", "mount", "routes", "digest"]);
        row.push(state(plugin));
        row
    };
    table(
        &["PLUGIN", "GENERATION", "VERSION", "MOUNT", "ROUTES", "DIGEST", "STATE"],
        &plugins.iter().map(row).collect::<Vec<_>>(),
    )
}

/// `serving`, or why not.
fn state(plugin: &Value) -> String {
    match plugin["error"].as_str() {
        Some(error) => format!("down: {error}"),
        None if plugin["serving"] == true => "serving".to_owned(),
        None => "down".to_owned(),
    }
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

/// What `plugins show` tells.
fn outline(plugin: &Value) -> String {
    let text = |key: &str| cells(plugin, &[key]).remove(0);
    let mut lines = vec![
        format!("{} {}, generation {}: {}", text("plugin"), text("version"), text("generation"), state(plugin)),
        format!("deployed  {}", plugin["deployed_at"].as_u64().map(timestamp).unwrap_or_default()),
        format!("built by  {}", text("sdk")),
        format!("digest    {}", plugin["digest"].as_str().unwrap_or("-")),
    ];
    if let Some(previous) = plugin["previous"]["generation"].as_u64() {
        lines.push(format!("previous  generation {previous}, {}", cells(&plugin["previous"], &["version"]).remove(0)));
    }
    let section = |name: &str, head: &[&str], keys: &[&str]| {
        let rows: Vec<Vec<String>> = items(&plugin[name], name).iter().map(|item| cells(item, keys)).collect();
        if rows.is_empty() { String::new() } else { format!("\n{}", table(head, &rows).trim_end()) }
    };
    lines.push(section("routes", &["METHOD", "PATH", "HANDLER"], &["method", "path", "handler"]));
    lines.push(section("models", &["MODEL", "TABLE"], &["name", "table"]));
    let stats = plugin["stats"].as_object().into_iter().flatten();
    lines.push(String::new());
    lines.push(stats.map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join("  "));
    lines.join("\n").replace("\n\n\n", "\n\n")
}
