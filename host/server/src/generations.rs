//! Deploy, rollback, remove: from one published state to the next, or not at all.
//!
//! A deploy does everything that may fail before anything changes: compile, describe, check routes and tables, warm an
//! instance, make the component durable. Then, in this order: missing tables are created (one transaction), the desired state is
//! replaced on disk, the new table of routes is published by one pointer swap, the old generation is retired. Requests that
//! had begun keep the generation they began on. One change at a time; later ones wait.

mod error;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use arc_swap::ArcSwap;
use covet_cache::Cache;
use covet_db::Database;
use covet_runtime::{Engine, Limits, LogSink, Plugin, Services};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

pub use self::error::DeployError;
use crate::{
    component::section,
    config::{
        Config, DEFAULT, MANIFEST_SECTION, MAX_MANIFEST, Manifest, PluginConfig, check_host, check_mount, check_name,
    },
    databases::Databases,
    logs::Logs,
    snapshot::{Live, Snapshot},
    state::{Artifact, Desired, DesiredPlugin, KEPT, Store},
};

/// All plugins of a host.
pub struct Generations {
    /// What serves; deploys swap the pointer.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    config: Config,
    engine: Engine,
    databases: Databases,
    cache: Cache,
    pub logs: Arc<Logs>,
    /// Held for the whole of a change.
    changes: Mutex<Changes>,
    /// What the last change left, for those who only look: they do not wait for a deploy.
    shown: ArcSwap<Shown>,
}

/// What is desired, and why some of it does not serve.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    pub desired: Desired,
    pub broken: BTreeMap<String, String>,
}

struct Changes {
    store: Store,
    desired: Desired,
    /// Plugins that should serve and do not: why.
    broken: BTreeMap<String, String>,
}

/// Where a deploy wants its plugin.
#[derive(Clone, Debug, Default)]
pub struct Placement {
    pub mount: Option<String>,
    pub host: Option<String>,
}

/// What a deploy did.
#[derive(Clone, Debug)]
pub struct Deployed {
    pub live: Live,
    /// Statements that created tables and indexes.
    pub ddl: Vec<String>,
}

impl Generations {
    pub fn new(
        config: Config,
        engine: Engine,
        databases: Databases,
        cache: Cache,
        logs: Arc<Logs>,
        store: Store,
        desired: Desired,
    ) -> Generations {
        let shown = Shown { desired: desired.clone(), broken: BTreeMap::new() };
        Generations {
            shown: ArcSwap::from_pointee(shown),
            snapshot: Arc::new(ArcSwap::from_pointee(Snapshot::default())),
            config,
            engine,
            databases,
            cache,
            logs,
            changes: Mutex::new(Changes { store, desired, broken: BTreeMap::new() }),
        }
    }

    /// Brings up what is to serve, at start. A plugin that cannot be brought up is said, and does not stop the others.
    pub async fn restore(&self) {
        let mut changes = self.changes.lock().await;
        let mut up: Vec<Live> = Vec::new();
        for (name, plugin) in changes.desired.plugins.clone() {
            let artifact = plugin.current;
            let brought = async {
                let live = self.revive(&changes.store, &name, artifact).await?;
                let mut all = up.clone();
                all.push(live);
                Ok::<_, DeployError>(Snapshot::build(all)?.plugins)
            };
            match brought.await {
                Ok(all) => up = all,
                Err(error) => {
                    tracing::error!(plugin = name, "the plugin is not served: {error}");
                    self.logs.write(&name, 0, covet_runtime::Level::Error, "covet", &format!("not served: {error}"));
                    changes.broken.insert(name, error.to_string());
                }
            }
        }
        self.show(&changes);
        match Snapshot::build(up) {
            Ok(snapshot) => self.snapshot.store(Arc::new(snapshot)),
            Err(error) => tracing::error!("no route is served: {error}"),
        }
        drop(changes);
        // What the operator's file names, when it is not what serves already.
        for (name, plugin) in &self.config.plugins {
            let Some(path) = &plugin.path else { continue };
            let deployed = async {
                let wasm = std::fs::read(path).map_err(DeployError::State)?;
                if self.snapshot.load().get(name).is_some_and(|live| live.artifact.digest == digest(&wasm)) {
                    return Ok(());
                }
                self.deploy(name, &wasm, Placement::default()).await.map(|_| ())
            };
            if let Err(error) = deployed.await {
                tracing::error!(plugin = name, path = %path.display(), "the plugin is not deployed: {error}");
            }
        }
    }

    /// Brings a new generation of `name` to the requests.
    ///
    /// # Errors
    /// [`DeployError`]: nothing has changed, but that missing tables may be there already when the disk fails at the very end.
    pub async fn deploy(&self, name: &str, wasm: &[u8], placement: Placement) -> Result<Deployed, DeployError> {
        check_name(name).map_err(|why| DeployError::Name(why.to_string()))?;
        let manifest = manifest(wasm)?;
        // What the operator's file says is laid over it when it is loaded, so that a changed file counts at the next start.
        let mount = placement.mount.or_else(|| manifest.as_ref()?.mount.clone()).unwrap_or_else(|| "/".to_owned());
        let mount = check_mount(&mount).map_err(|why| DeployError::Mount(why.to_string()))?;
        let host = placement
            .host
            .map(|host| check_host(&host))
            .transpose()
            .map_err(|why| DeployError::Mount(why.to_string()))?;

        let mut changes = self.changes.lock().await;
        let known = changes.desired.plugins.get(name);
        let last = known.map(|plugin| plugin.last).or_else(|| changes.desired.removed.get(name).copied()).unwrap_or(0);
        let artifact = Artifact {
            generation: last + 1,
            digest: digest(wasm),
            version: manifest.map(|manifest| manifest.version).unwrap_or_default(),
            mount,
            host,
            deployed_at: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_millis() as u64),
        };
        let live = self.load(name, artifact.clone(), wasm).await?;
        let artifact = Artifact { version: live.artifact.version.clone(), ..artifact };
        let snapshot = Snapshot::build(self.snapshot.load().with(name, Some(live.clone())))?;
        let ddl = self.missing_tables(&live).await?;
        live.plugin.warm().await?;
        changes.store.keep(&live.artifact.digest, wasm).map_err(DeployError::State)?;
        self.create_tables(&live, &ddl).await?;

        let mut desired = changes.desired.clone();
        desired.removed.remove(name);
        let entry = desired.plugins.entry(name.to_owned());
        let plugin = entry
            .and_modify(|plugin| {
                let old = std::mem::replace(&mut plugin.current, artifact.clone());
                plugin.previous.insert(0, old);
                plugin.previous.truncate(KEPT);
            })
            .or_insert_with(|| DesiredPlugin { last: 0, current: artifact.clone(), previous: Vec::new() });
        plugin.last = live.artifact.generation;
        self.publish(&mut changes, desired, snapshot, name)?;
        Ok(Deployed { live, ddl })
    }

    /// Back to the generation before. The one that is left is no longer kept.
    ///
    /// # Errors
    /// There is none, or it does not fit any more (a route that another plugin serves by now).
    pub async fn rollback(&self, name: &str) -> Result<Live, DeployError> {
        let mut changes = self.changes.lock().await;
        let mut desired = changes.desired.clone();
        let plugin = desired.plugins.get_mut(name).ok_or_else(|| DeployError::Unknown(name.to_owned()))?;
        if plugin.previous.is_empty() {
            return Err(DeployError::NoPrevious(name.to_owned()));
        }
        plugin.current = plugin.previous.remove(0);
        let artifact = plugin.current.clone();
        let live = self.revive(&changes.store, name, artifact).await?;
        let snapshot = Snapshot::build(self.snapshot.load().with(name, Some(live.clone())))?;
        self.publish(&mut changes, desired, snapshot, name)?;
        Ok(live)
    }

    /// Stops serving a plugin. Its tables and rows stay.
    ///
    /// # Errors
    /// There is no such plugin, or the disk fails.
    pub async fn remove(&self, name: &str) -> Result<(), DeployError> {
        let mut changes = self.changes.lock().await;
        let mut desired = changes.desired.clone();
        let plugin = desired.plugins.remove(name).ok_or_else(|| DeployError::Unknown(name.to_owned()))?;
        desired.removed.insert(name.to_owned(), plugin.last);
        let snapshot = Snapshot::build(self.snapshot.load().with(name, None))?;
        self.publish(&mut changes, desired, snapshot, name)?;
        self.cache.purge(name);
        Ok(())
    }

    /// What is desired, and why some of it does not serve. Never waits for a deploy.
    pub fn shown(&self) -> Arc<Shown> {
        self.shown.load_full()
    }

    fn show(&self, changes: &Changes) {
        self.shown.store(Arc::new(Shown { desired: changes.desired.clone(), broken: changes.broken.clone() }));
    }

    /// A generation of before, from disk, ready to serve: its tables too, for the database may have been replaced since.
    async fn revive(&self, store: &Store, name: &str, artifact: Artifact) -> Result<Live, DeployError> {
        let wasm = store.read(&artifact.digest).map_err(DeployError::State)?;
        if digest(&wasm) != artifact.digest {
            let message = format!("the component {} was changed on disk; deploy it anew", artifact.digest);
            return Err(DeployError::State(std::io::Error::other(message)));
        }
        let live = self.load(name, artifact, &wasm).await?;
        let ddl = self.missing_tables(&live).await?;
        live.plugin.warm().await?;
        self.create_tables(&live, &ddl).await?;
        Ok(live)
    }

    async fn create_tables(&self, live: &Live, ddl: &[String]) -> Result<(), DeployError> {
        match self.database_of(&live.name) {
            Some(database) if !ddl.is_empty() => {
                database.execute_batch(ddl.to_vec()).await.map_err(DeployError::Tables)
            }
            _ => Ok(()),
        }
    }

    pub fn databases(&self) -> &Databases {
        &self.databases
    }

    /// The database that a plugin's models live in; none where it is withheld.
    fn database_of(&self, plugin: &str) -> Option<&Database> {
        let name = match self.config.plugins.get(plugin) {
            Some(configured) => configured.database.as_deref()?,
            None => DEFAULT,
        };
        self.databases.get(name)
    }

    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    fn publish(
        &self,
        changes: &mut Changes,
        desired: Desired,
        snapshot: Snapshot,
        name: &str,
    ) -> Result<(), DeployError> {
        changes.store.publish(&desired).map_err(DeployError::State)?;
        changes.broken.remove(name);
        let old = self.snapshot.swap(Arc::new(snapshot));
        if let Some(old) = old.get(name) {
            old.plugin.retire();
        }
        changes.store.sweep(&desired);
        changes.desired = desired;
        self.show(changes);
        Ok(())
    }

    async fn load(&self, name: &str, artifact: Artifact, wasm: &[u8]) -> Result<Live, DeployError> {
        let configured = self.config.plugins.get(name);
        let limits = self.limits(configured, manifest(wasm)?.as_ref());
        let services = Services {
            database: self.database_of(name).cloned(),
            cache: configured.is_none_or(|plugin| plugin.cache).then(|| self.cache.clone()),
            config: configured.map(|plugin| plugin.config.clone()).unwrap_or_default(),
            log: Arc::clone(&self.logs) as Arc<dyn LogSink>,
        };
        let plugin = Plugin::load(&self.engine, name, artifact.generation, wasm, services, limits).await?;
        let mut artifact = artifact;
        if let Some(operator) = configured {
            artifact.mount = operator.mount.clone().unwrap_or(artifact.mount);
            artifact.host = operator.host.clone().or(artifact.host);
        }
        if artifact.version.is_empty() {
            artifact.version.clone_from(&plugin.description().version);
        }
        Ok(Live { name: name.into(), artifact, plugin })
    }

    /// The operator's limits; where the operator names none, the author's, when they are lower than the defaults.
    fn limits(&self, configured: Option<&PluginConfig>, manifest: Option<&Manifest>) -> Limits {
        let base =
            manifest.map_or_else(|| self.config.limits.clone(), |manifest| manifest.limits.wished(&self.config.limits));
        configured.map_or(base.clone(), |plugin| plugin.limits.over(&base))
    }

    async fn missing_tables(&self, live: &Live) -> Result<Vec<String>, DeployError> {
        let catalog = Arc::clone(&live.plugin.description().catalog);
        if catalog.models().next().is_none() {
            return Ok(Vec::new());
        }
        let Some(database) = self.database_of(&live.name) else {
            return Err(DeployError::NoDatabase(live.name.to_string()));
        };
        let existing = database.introspect().await.map_err(DeployError::Tables)?;
        covet_orm::ddl::reconcile(database.dialect().into(), &catalog, &existing).map_err(DeployError::Mismatch)
    }
}

/// SHA-256, hexadecimal.
pub(crate) fn digest(wasm: &[u8]) -> String {
    use std::fmt::Write;
    Sha256::digest(wasm).iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// `plugin.toml`, as `covet build` laid it into the component.
fn manifest(wasm: &[u8]) -> Result<Option<Manifest>, DeployError> {
    let Some(bytes) = section(wasm, MANIFEST_SECTION) else { return Ok(None) };
    if bytes.len() > MAX_MANIFEST {
        return Err(DeployError::Manifest(format!("it is {} bytes, the limit is {MAX_MANIFEST}", bytes.len())));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| DeployError::Manifest("it is not UTF-8".to_owned()))?;
    Manifest::parse(text).map(Some).map_err(|error| DeployError::Manifest(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_is_found_and_broken_sections_are_no_danger() {
        let mut wasm = b"\0asm\x0d\0\x01\0".to_vec();
        wasm.extend_from_slice(&[0, 6, 4, b'n', b'o', b't', b'e', 1]);
        let toml = b"name = \"blog\"\n";
        wasm.push(0);
        wasm.push(u8::try_from(1 + MANIFEST_SECTION.len() + toml.len()).unwrap());
        wasm.push(u8::try_from(MANIFEST_SECTION.len()).unwrap());
        wasm.extend_from_slice(MANIFEST_SECTION.as_bytes());
        wasm.extend_from_slice(toml);
        assert_eq!(manifest(&wasm).unwrap().unwrap().name, "blog");
        for cut in 0..wasm.len() {
            let _ = section(&wasm[..cut], MANIFEST_SECTION);
        }
        assert!(section(&[0xff; 64], MANIFEST_SECTION).is_none());
    }
}
