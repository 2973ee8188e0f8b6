//! Host, method and path to a route of a plugin, in one table that is built at deploy.
//!
//! # Rules
//!
//! - A pattern is the plugin's mount followed by the route's path. Its segments are literal, `{name}` (one whole segment,
//!   not empty) or, at the end, `{*name}` (the rest with its slashes; it may be empty: `/files/{*rest}` serves `/files/`,
//!   not `/files`). Names of parameters do not distinguish patterns: `/a/{id}` and `/a/{slug}/b` live side by side.
//! - Segment by segment, from the left, a literal comes before a parameter and a parameter before a rest; when the better
//!   choice leads nowhere, the next one is tried. The path decides first, then the method: a path that is served with other methods
//!   only is 405, whatever less specific patterns say.
//! - A plugin that is bound to a host name is asked before those that serve every host.
//! - A plugin mounted at `/x` serves its route `/` as `/x` and as `/x/`. Otherwise a slash at the end counts.
//! - A segment is compared and handed over percent-decoded, once. `%2F` is part of its segment and never separates two.
//!   A `%` that encodes nothing, text that is not UTF-8, `%00`, and segments `.` and `..` (also as parts of a segment,
//!   divided by `%2F`) are refused: [`BadPath`], 400.
//! - Slashes are not collapsed: a path with an empty segment before its end is served by nobody.
//!
//! matchit, which we would rather have used, refuses a parameter beside a rest (`/{id}`, `/{*rest}`), does not match an
//! empty rest, and compares encoded text; see `docs/decisions/005-router.md`.
//!
//! # Cost
//!
//! One hash look-up a segment, no allocation up to 16 segments and 6 parameters, none for decoding what is not encoded.
//! A node is visited at most once a match, so no table and no path makes a match slower than the table is large.

mod build;
pub mod fuzzing;
mod path;

use std::borrow::Cow;

use covet_runtime::Method;
use http::HeaderValue;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

pub(crate) use build::patterns;
pub use build::{Mounted, RouteConflict, RouteError};
pub use path::BadPath;

/// Which route of which plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// Index among the plugins that the table was built from.
    pub plugin: u32,
    /// Index among the plugin's routes.
    pub route: u32,
}

/// Decoded parameters, in the order of the pattern.
pub type Params<'p> = SmallVec<[Cow<'p, str>; 6]>;

/// The table. Immutable.
#[derive(Debug, Default)]
pub struct Table {
    any: Tree,
    hosts: FxHashMap<Box<str>, Tree>,
}

/// What a path is served with.
#[derive(Clone, Debug)]
pub struct Methods {
    targets: [Option<Target>; METHODS],
    /// `allow` as RFC 9110 §10.2.1 has it, HEAD and OPTIONS included.
    pub allow: HeaderValue,
}

/// A path that is served.
#[derive(Debug)]
pub struct Match<'t, 'p> {
    pub methods: &'t Methods,
    pub params: Params<'p>,
}

const METHODS: usize = 7;

#[derive(Debug, Default)]
struct Tree {
    nodes: Vec<Node>,
    leaves: Vec<Methods>,
}

#[derive(Debug, Default)]
struct Node {
    literals: FxHashMap<Box<str>, u32>,
    param: Option<u32>,
    /// The pattern ends here.
    end: Option<u32>,
    /// A pattern ends here with `{*rest}`.
    rest: Option<u32>,
}

impl Table {
    /// The patterns that fit `path` best on `host` (lower-case, without port).
    ///
    /// # Errors
    /// [`BadPath`]: 400.
    pub fn find<'t, 'p>(&'t self, host: &str, path: &'p str) -> Result<Option<Match<'t, 'p>>, BadPath> {
        let path = path::Split::new(path)?;
        if !path.is_servable() {
            return Ok(None);
        }
        if !self.hosts.is_empty()
            && let Some(found) = self.hosts.get(host).and_then(|tree| tree.find(&path))
        {
            return Ok(Some(found));
        }
        Ok(self.any.find(&path))
    }

    /// True when some plugin is bound to a host name: only then `find` looks at it.
    pub fn uses_hosts(&self) -> bool {
        !self.hosts.is_empty()
    }
}

impl Methods {
    /// The route for `method`. A GET route answers HEAD too, unless there is one for HEAD.
    pub fn get(&self, method: Method) -> Option<Target> {
        let exact = self.targets.get(method as usize).copied().flatten();
        if exact.is_none() && method == Method::Head {
            return self.targets.get(Method::Get as usize).copied().flatten();
        }
        exact
    }
}

impl Tree {
    fn find<'p>(&self, path: &path::Split<'p>) -> Option<Match<'_, 'p>> {
        let mut taken = SmallVec::<[u32; 6]>::new();
        let (leaf, rest) = self.descend(0, path, 0, &mut taken)?;
        let mut params: Params<'p> = taken.iter().filter_map(|index| path.segment(*index as usize)).collect();
        if let Some(from) = rest {
            params.push(path.from(from));
        }
        Some(Match { methods: self.leaves.get(leaf as usize)?, params })
    }

    /// Walks down from `node` with the segments from `at`. Depth is bounded by the longest pattern.
    fn descend(
        &self,
        node: u32,
        path: &path::Split<'_>,
        at: usize,
        taken: &mut SmallVec<[u32; 6]>,
    ) -> Option<(u32, Option<usize>)> {
        let node = self.nodes.get(node as usize)?;
        let Some(segment) = path.text(at) else { return node.end.map(|leaf| (leaf, None)) };
        if let Some(next) = node.literals.get(segment)
            && let Some(found) = self.descend(*next, path, at + 1, taken)
        {
            return Some(found);
        }
        if let Some(next) = node.param
            && !segment.is_empty()
        {
            taken.push(u32::try_from(at).ok()?);
            if let Some(found) = self.descend(next, path, at + 1, taken) {
                return Some(found);
            }
            taken.pop();
        }
        node.rest.map(|leaf| (leaf, Some(at)))
    }
}

#[cfg(test)]
#[path = "router/tests.rs"]
mod tests;
