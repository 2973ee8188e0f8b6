//! `scripts/needs.txt`: what Covet needs on a machine. The set-up script installs from the same list.

use std::path::{Path, PathBuf};

use crate::args::Work;

const LIST: &str = include_str!("../../../scripts/needs.txt");

#[derive(Debug, PartialEq, Eq)]
pub struct Need {
    pub name: &'static str,
    pub work: Work,
    /// False: all works without it, only slower or with less comfort.
    pub required: bool,
    /// Any one will do; a path may hold one `*` a component.
    pub programs: Vec<&'static str>,
    /// Debian's packages, or `cargo:CRATE`; empty where there is neither.
    pub packages: &'static str,
    pub why: &'static str,
}

/// All needs, in the order of the list. A line that does not parse is left out; a test sees to it that there is none.
pub fn all() -> Vec<Need> {
    lines().filter_map(parse).collect()
}

fn lines() -> impl Iterator<Item = &'static str> {
    LIST.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn parse(line: &'static str) -> Option<Need> {
    let columns: Vec<&str> = line.split('|').map(str::trim).collect();
    let &[name, work, programs, packages, why] = columns.as_slice() else { return None };
    let required = !work.ends_with('?');
    let work = match work.trim_end_matches('?') {
        "build" => Work::Build,
        "test" => Work::Test,
        "bench" => Work::Bench,
        "fuzz" => Work::Fuzz,
        _ => return None,
    };
    Some(Need { name, work, required, programs: programs.split_whitespace().collect(), packages, why })
}

impl Need {
    /// Where its program lies.
    pub fn find(&self) -> Option<PathBuf> {
        self.programs.iter().find_map(|program| match program.strip_prefix('/') {
            Some(pattern) => in_tree(Path::new("/"), pattern),
            None => on_path(program),
        })
    }

    /// How to get it; empty where `why` says so itself.
    pub fn way_out(&self) -> String {
        if self.packages.is_empty() {
            String::new()
        } else if let Some(krate) = self.packages.strip_prefix("cargo:") {
            format!("cargo install --locked {krate}")
        } else {
            format!("scripts/setup.sh {}, or: apt-get install --no-install-recommends {}", self.goal(), self.packages)
        }
    }

    fn goal(&self) -> &'static str {
        match self.work {
            Work::Build => "build",
            Work::Test => "test",
            Work::Bench => "bench",
            Work::Fuzz => "fuzz",
        }
    }
}

pub fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(program)).find(|file| file.is_file())
}

/// The newest match of a pattern like `usr/lib/postgresql/*/bin/postgres`.
fn in_tree(from: &Path, pattern: &str) -> Option<PathBuf> {
    let Some((first, rest)) = pattern.split_once('/') else {
        let file = from.join(pattern);
        return file.is_file().then_some(file);
    };
    if first != "*" {
        return in_tree(&from.join(first), rest);
    }
    let mut directories: Vec<PathBuf> = std::fs::read_dir(from).ok()?.flatten().map(|entry| entry.path()).collect();
    directories.sort();
    directories.iter().rev().find_map(|directory| in_tree(directory, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_list_is_understood() {
        assert!(lines().count() >= 5);
        for line in lines() {
            assert!(parse(line).is_some(), "not understood: {line}");
        }
    }

    #[test]
    fn a_star_takes_the_newest_directory_that_has_the_program() {
        let root = tempfile::tempdir().unwrap();
        for version in ["14", "15", "16"] {
            std::fs::create_dir_all(root.path().join(version).join("bin")).unwrap();
        }
        for version in ["14", "15"] {
            std::fs::write(root.path().join(version).join("bin/postgres"), "").unwrap();
        }
        assert_eq!(in_tree(root.path(), "*/bin/postgres"), Some(root.path().join("15/bin/postgres")));
        assert_eq!(in_tree(root.path(), "*/bin/none"), None);
    }
}
