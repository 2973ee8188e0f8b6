//! The files that a plugin is built from: its project's directories, and files outside that cargo says went into it.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use notify::event::{EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use crate::outcome::{Failure, Result};

/// What no build reads: watching it would cost thousands of watches, or see our own writes.
const IGNORED: [&str; 4] = ["target", "data", "node_modules", "Cargo.lock"];

#[derive(Debug)]
pub struct Watch {
    watcher: RecommendedWatcher,
    watched: HashSet<PathBuf>,
    project: PathBuf,
    /// What the last build read; empty before the first.
    sources: HashSet<PathBuf>,
    /// Of a project with a build command of its own: what that writes.
    component: Option<PathBuf>,
}

impl Watch {
    /// Watches a project, but not `state` (the host's own files) in it. `changed` is called on
    /// a thread of the watcher with the path of each changed file.
    ///
    /// # Errors
    /// `watch`, when the system has no more watches: with the setting to raise.
    pub fn new(project: &Path, state: &Path, changed: impl Fn(PathBuf) + Send + 'static) -> Result<Watch> {
        let (base, state) = (project.to_owned(), std::path::absolute(state).unwrap_or_else(|_| state.to_owned()));
        let except = state.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let Ok(event) = event else { return };
            let mut paths = event.paths.iter().filter(|path| !path.starts_with(&except) && !is_ignored(path, &base));
            if let Some(path) = paths.next().filter(|_| changes(event.kind)) {
                changed(path.clone());
            }
        });
        let mut watch = Watch {
            watcher: watcher.map_err(failed)?,
            watched: HashSet::new(),
            project: project.to_owned(),
            sources: HashSet::new(),
            component: None,
        };
        watch.add(project, RecursiveMode::NonRecursive)?;
        let entries = std::fs::read_dir(project).map_err(Failure::io("listing", project))?;
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() && !is_ignored(&path, project) && path != state {
                watch.add(&path, RecursiveMode::Recursive)?;
            }
        }
        Ok(watch)
    }

    /// The project is built by a command of its own, which writes this file: what is under `src/` or beside `plugin.toml`
    /// starts a build.
    pub fn built_to(&mut self, component: PathBuf) {
        self.component = Some(component);
    }

    /// Watches the directories of these files too: crates by path, included files, directories made since the start. What
    /// cannot be watched is left out: the plugin still builds.
    pub fn also(&mut self, sources: &[PathBuf]) {
        self.sources = sources.iter().cloned().collect();
        let directories: HashSet<&Path> = sources.iter().filter_map(|file| file.parent()).collect();
        for directory in directories {
            let covered = self.watched.iter().any(|watched| directory.starts_with(watched) && *watched != self.project);
            if !covered {
                let _ = self.add(directory, RecursiveMode::NonRecursive);
            }
        }
    }

    /// Whether a build could come out otherwise for a change of this file. A log or a note that is written into the project
    /// must not start a build: it may be our own output.
    pub fn matters(&self, file: &Path) -> bool {
        let Ok(inside) = file.strip_prefix(&self.project) else { return self.sources.contains(file) };
        if let Some(component) = &self.component {
            // What a command reads, nobody says; what it writes must not start it again.
            let source = inside.starts_with("src") || inside.components().count() == 1;
            return source && file != component;
        }
        let elsewhere = ["tests", "benches", "examples"].iter().any(|directory| inside.starts_with(directory));
        // A module that is new, or that the last build missed, is in no list yet.
        let code = !elsewhere && inside.extension().is_some_and(|extension| extension == "rs" || extension == "toml");
        // What a build script reads, nobody says.
        let anything = self.sources.is_empty() || self.project.join("build.rs").exists();
        code || self.sources.contains(file) || (anything && inside.components().count() > 1)
    }

    fn add(&mut self, directory: &Path, mode: RecursiveMode) -> Result<()> {
        if self.watched.insert(directory.to_owned()) {
            self.watcher.watch(directory, mode).map_err(failed)?;
        }
        Ok(())
    }
}

/// Reading a file, or a change of its times or owner, is no change.
fn changes(kind: EventKind) -> bool {
    !matches!(kind, EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_)))
}

/// Ignored names, hidden files, and what editors leave beside the file they save.
fn is_ignored(path: &Path, base: &Path) -> bool {
    let inside = path.strip_prefix(base).unwrap_or(path);
    let first = inside.components().next().map(|component| component.as_os_str().to_string_lossy());
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    first.is_some_and(|first| IGNORED.contains(&first.as_ref()))
        || name.starts_with('.')
        || name.starts_with('#')
        || name.ends_with('~')
        // Vim writes a file of this name to see whether it may.
        || name == "4913"
}

fn failed(error: notify::Error) -> Failure {
    Failure::failed("watch", format!("watching files: {error}"))
        .hint("when the limit is reached: sysctl fs.inotify.max_user_watches=524288")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_count_and_leavings_of_builds_and_editors_do_not() {
        let base = Path::new("/p");
        for file in ["/p/src/lib.rs", "/p/plugin.toml", "/p/pages/data/a.html", "/elsewhere/src/lib.rs"] {
            assert!(!is_ignored(Path::new(file), base), "{file}");
        }
        for file in [
            "/p/target/x",
            "/p/data/app.db-wal",
            "/p/src/.lib.rs.swp",
            "/p/src/lib.rs~",
            "/p/src/4913",
            "/p/Cargo.lock",
        ] {
            assert!(is_ignored(Path::new(file), base), "{file}");
        }
    }

    #[test]
    fn a_save_is_seen_also_in_a_directory_made_later_and_the_state_is_not_watched() {
        let project = tempfile::tempdir().unwrap();
        let root = project.path().canonicalize().unwrap();
        for directory in ["src", "state"] {
            std::fs::create_dir(root.join(directory)).unwrap();
        }
        let (send, events) = std::sync::mpsc::channel();
        let mut watch = Watch::new(&root, &root.join("state"), move |file| drop(send.send(file))).unwrap();
        let seen = |patience| {
            let mut last = None;
            while let Ok(file) = events.recv_timeout(std::time::Duration::from_millis(patience)) {
                last = Some(file);
            }
            last.map(|file: PathBuf| file.strip_prefix(&root).unwrap_or(&file).display().to_string())
        };

        std::fs::write(root.join("state/app.db"), "x").unwrap();
        assert_eq!(seen(200), None);
        std::fs::write(root.join("src/lib.rs"), "x").unwrap();
        assert_eq!(seen(1000).as_deref(), Some("src/lib.rs"));

        std::fs::create_dir(root.join("pages")).unwrap();
        seen(200);
        watch.also(&[root.join("pages/home.html")]);
        std::fs::write(root.join("pages/home.html"), "x").unwrap();
        assert_eq!(seen(1000).as_deref(), Some("pages/home.html"));
    }

    #[test]
    fn only_what_a_build_reads_starts_one() {
        let project = tempfile::tempdir().unwrap();
        let root = project.path().canonicalize().unwrap();
        let mut watch = Watch::new(&root, Path::new("/nowhere"), drop).unwrap();
        let page = root.join("pages/home.html");
        watch.also(&[root.join("src/lib.rs"), page.clone(), "/sdk/src/lib.rs".into()]);
        for file in [
            root.join("src/lib.rs").as_path(),
            &root.join("src/new.rs"),
            &root.join("plugin.toml"),
            &page,
            Path::new("/sdk/src/lib.rs"),
        ] {
            assert!(watch.matters(file), "{}", file.display());
        }
        for file in [
            root.join("out.log").as_path(),
            &root.join("README.md"),
            &root.join("tests/app.rs"),
            Path::new("/sdk/README.md"),
        ] {
            assert!(!watch.matters(file), "{}", file.display());
        }
    }
}
