//! What the admin API shows, as JSON.

use serde_json::{Value, json};

use crate::{
    generations::{Deployed, Shown},
    snapshot::{Live, Snapshot},
};

pub(super) fn plugins(snapshot: &Snapshot, shown: &Shown) -> Value {
    let plugins: Vec<Value> = shown.desired.plugins.keys().filter_map(|name| summary(name, snapshot, shown)).collect();
    json!({ "plugins": plugins })
}

fn summary(name: &str, snapshot: &Snapshot, shown: &Shown) -> Option<Value> {
    let plugin = shown.desired.plugins.get(name)?;
    let live = snapshot.get(name);
    // The operator's file may place it elsewhere than its deploy did.
    let placed = live.map_or(&plugin.current, |live| &live.artifact);
    Some(json!({
        "plugin": name,
        "generation": plugin.current.generation,
        "version": plugin.current.version,
        "digest": plugin.current.digest,
        "mount": placed.mount,
        "host": placed.host,
        "deployed_at": plugin.current.deployed_at,
        "serving": live.is_some(),
        "error": shown.broken.get(name),
        "routes": live.map(|live| live.plugin.description().routes.len()),
        "stats": live.map(|live| live.plugin.stats()),
    }))
}

pub(super) fn plugin(name: &str, snapshot: &Snapshot, shown: &Shown) -> Option<Value> {
    let mut plugin = summary(name, snapshot, shown)?;
    let previous = &shown.desired.plugins.get(name)?.previous;
    if let Value::Object(map) = &mut plugin {
        // Where a rollback leads, and all that could follow it, newest first.
        map.insert("previous".into(), json!(previous.first()));
        map.insert("history".into(), json!(previous));
        if let Some(live) = snapshot.get(name) {
            let description = live.plugin.description();
            map.insert("sdk".into(), json!(description.sdk));
            map.insert("routes".into(), Value::Array(routes_of(live)));
            map.insert(
                "models".into(),
                description.catalog.models().map(|model| json!({ "name": model.name, "table": model.table })).collect(),
            );
        }
    }
    Some(plugin)
}

pub(super) fn live(live: &Live) -> Value {
    let artifact = &live.artifact;
    json!({
        "plugin": &*live.name,
        "generation": artifact.generation,
        "version": artifact.version,
        "digest": artifact.digest,
        "mount": artifact.mount,
        "host": artifact.host,
        "routes": routes_of(live),
        "compile_ms": live.plugin.compiled().took.as_secs_f64() * 1e3,
        "cached": live.plugin.compiled().cached,
    })
}

pub(super) fn deployed(deployed: &Deployed) -> Value {
    let mut shown = live(&deployed.live);
    if let Value::Object(map) = &mut shown {
        map.insert("ddl".into(), json!(deployed.ddl));
    }
    shown
}

pub(super) fn routes(snapshot: &Snapshot) -> Value {
    let shown: Vec<Value> = snapshot.plugins.iter().flat_map(routes_of).collect();
    json!({ "routes": shown })
}

fn routes_of(live: &Live) -> Vec<Value> {
    let show = |route: &covet_runtime::Route| {
        let path = crate::router::patterns(&live.artifact.mount, &route.path).into_iter().next();
        json!({
            "plugin": &*live.name,
            "generation": live.artifact.generation,
            "host": live.artifact.host,
            "method": route.method.as_str(),
            "path": path,
            "handler": route.handler,
        })
    };
    live.plugin.description().routes.iter().map(show).collect()
}

pub(super) fn cache(stats: &covet_cache::CacheStats) -> Value {
    json!({
        "hits": stats.hits,
        "misses": stats.misses,
        "sets": stats.sets,
        "deletes": stats.deletes,
        "evictions": stats.evictions,
        "waits": stats.waits,
        "entries": stats.entries,
        "bytes": stats.bytes,
    })
}
