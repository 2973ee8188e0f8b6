//! Asking a component what it is, with every capability withheld.

use std::sync::Arc;

use covet_orm::Catalog;
use wasmtime::component::Component;

use crate::{
    bindings::exports::covet::plugin::description::PluginDescription,
    description::Description,
    engine::{MEMORIES, Shared, TABLES},
    error::{HandleError, LoadError},
    generation::Generation,
    instance::{Template, new_store},
    limits::{DESCRIBE_DEADLINE, Limits},
    trap,
};

/// Resolves the imports and finds the exports.
///
/// # Errors
/// [`LoadError::UnknownImport`], [`LoadError::WrongTypes`], [`LoadError::MissingExport`], [`LoadError::TooManyResources`].
pub(crate) fn link(engine: &Shared, component: &Component, limits: &Limits) -> Result<Template, LoadError> {
    fits(component, limits)?;
    let pre = engine.linker.instantiate_pre(component).map_err(|error| {
        // "component imports instance `a:b/c@0.2.0`, but a matching implementation was not found in the linker: ...". Those
        // of ours are there (`compile::check` has looked at their names), so that it is their types which do not match.
        let text = format!("{error:#}");
        let unmatched = text.contains("was not found in the linker");
        match unmatched.then(|| text.split('`').nth(1)).flatten() {
            Some(import) if !import.starts_with("covet:") => LoadError::UnknownImport { import: import.into() },
            _ => LoadError::WrongTypes(text),
        }
    })?;
    let missing = |export: &str| LoadError::MissingExport { export: export.into() };
    let handler = component
        .get_export_index(None, "covet:http/handler@0.1.0")
        .ok_or_else(|| missing("covet:http/handler@0.1.0"))?;
    let serve =
        component.get_export_index(Some(&handler), "serve").ok_or_else(|| missing("covet:http/handler@0.1.0#serve"))?;
    Ok(Template { pre, serve })
}

/// Whether an instance can be made at all, within the plugin's limits and the pool's.
fn fits(component: &Component, limits: &Limits) -> Result<(), LoadError> {
    let Some(needs) = component.resources_required() else {
        return Err(LoadError::TooManyResources(
            "it instantiates modules that it imports; link it into one component".into(),
        ));
    };
    let initial = needs.max_initial_memory_size.unwrap_or(0).saturating_mul(PAGE);
    if initial > limits.memory {
        return Err(LoadError::TooManyResources(format!(
            "its memory begins with {initial} bytes, limits.memory is {}; raise it, or link with a smaller `--initial-memory`",
            limits.memory
        )));
    }
    if needs.num_memories > MEMORIES || needs.num_tables > TABLES {
        return Err(LoadError::TooManyResources(format!(
            "{} memories and {} tables, the limits are {MEMORIES} and {TABLES}",
            needs.num_memories, needs.num_tables
        )));
    }
    Ok(())
}

/// Bytes of a WebAssembly page.
const PAGE: u64 = 64 << 10;

/// What a plugin is before it has said what it is.
pub(crate) fn nothing(name: &str) -> Result<Description, LoadError> {
    Ok(Description {
        name: name.into(),
        version: String::new(),
        sdk: String::new(),
        routes: Vec::new(),
        catalog: Arc::new(Catalog::new(Vec::new())?),
    })
}

/// Calls `describe` in an instance of its own, on a thread of its own, and checks the type of `serve` on the way. Gives the
/// draft back.
///
/// # Errors
/// [`LoadError::DescribeTrap`], [`LoadError::DescribeTimeout`], and what [`Description::check`] finds.
pub(crate) async fn describe(draft: Generation, component: &Component) -> Result<(Description, Generation), LoadError> {
    let draft = Arc::new(draft);
    let (running, component) = (Arc::clone(&draft), component.clone());
    let raw = tokio::task::spawn_blocking(move || {
        // A guest that computes must not hold up a worker's requests, so it gets an event loop to itself.
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(|error| LoadError::Instantiate(format!("no event loop: {error}")))?
            .block_on(async {
                tokio::time::timeout(DESCRIBE_DEADLINE, ask(&running, &component))
                    .await
                    .unwrap_or(Err(LoadError::DescribeTimeout { limit: DESCRIBE_DEADLINE }))
            })
    })
    .await
    .map_err(|error| LoadError::Instantiate(format!("`describe` failed in the host: {error}")))??;
    let description = Description::check(raw)?;
    // Everything that held it was dropped with the thread's work.
    let draft = Arc::into_inner(draft)
        .ok_or_else(|| LoadError::Instantiate("the instance that described is still there".into()))?;
    Ok((description, draft))
}

async fn ask(draft: &Arc<Generation>, component: &Component) -> Result<PluginDescription, LoadError> {
    let mut store = new_store(draft);
    store.data_mut().withheld = true;
    let instance = match draft.template.pre.instantiate_async(&mut store).await {
        Ok(instance) => instance,
        Err(error) if error.is::<wasmtime::PoolConcurrencyLimitError>() => {
            return Err(LoadError::Instantiate("all instances of this host are in use; try again".into()));
        }
        Err(error) => return Err(failed(trap::explain(error, store.data_mut()))),
    };
    instance
        .get_typed_func::<(), ()>(&mut store, draft.template.serve)
        .map_err(|error| LoadError::WrongTypes(format!("covet:http/handler.serve: {error:#}")))?;
    let interface = component.get_export_index(None, "covet:plugin/description@0.1.0");
    let export = interface.and_then(|interface| component.get_export_index(Some(&interface), "describe"));
    let export =
        export.ok_or_else(|| LoadError::MissingExport { export: "covet:plugin/description@0.1.0#describe".into() })?;
    let describe = instance
        .get_typed_func::<(), (PluginDescription,)>(&mut store, export)
        .map_err(|error| LoadError::WrongTypes(format!("covet:plugin/description.describe: {error:#}")))?;
    match describe.call_async(&mut store, ()).await {
        Ok((description,)) => Ok(description),
        Err(error) => Err(failed(trap::explain(error, store.data_mut()))),
    }
}

fn failed(error: HandleError) -> LoadError {
    match error {
        HandleError::Cpu { .. } => LoadError::DescribeTimeout { limit: DESCRIBE_DEADLINE },
        HandleError::Trap { message, backtrace } => {
            let lines: Vec<String> = std::iter::once(message).chain(backtrace).collect();
            LoadError::DescribeTrap(lines.join("\n    at "))
        }
        other => LoadError::DescribeTrap(other.to_string()),
    }
}
