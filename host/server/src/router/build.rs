//! From the routes of all plugins to a table, or to the conflict that forbids it.

use std::fmt;

use covet_runtime::{Method, Route};
use http::HeaderValue;

use super::{METHODS, Methods, Node, Table, Target, Tree, path};

/// One plugin as it is mounted.
#[derive(Clone, Copy, Debug)]
pub struct Mounted<'a> {
    pub name: &'a str,
    pub generation: u64,
    /// Served under this host name only; lower-case, without port.
    pub host: Option<&'a str>,
    /// `/`, or `/x/y` without a slash at its end.
    pub mount: &'a str,
    pub routes: &'a [Route],
}

/// Two routes for the same requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteConflict {
    pub method: Method,
    /// As the refused plugin writes it, with its mount.
    pub path: String,
    /// `blog@3`
    pub plugin: String,
    /// `shop@7`; the same plugin when it contradicts itself.
    pub owner: String,
    pub owner_path: String,
    pub owner_mount: String,
    pub host: Option<String>,
}

/// Why there is no table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteError {
    Conflict(Box<RouteConflict>),
    /// The pattern is not one.
    Pattern {
        plugin: String,
        path: String,
        reason: String,
    },
}

impl RouteError {
    /// A stable code for APIs.
    pub fn code(&self) -> &'static str {
        match self {
            RouteError::Conflict(_) => "route-conflict",
            RouteError::Pattern { .. } => "bad-route",
        }
    }
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let conflict = match self {
            RouteError::Conflict(conflict) => conflict,
            RouteError::Pattern { plugin, path, reason } => return write!(f, "route {path} of {plugin}: {reason}"),
        };
        let RouteConflict { method, path, plugin, owner, owner_path, owner_mount, host } = &**conflict;
        let host = host.as_ref().map(|host| format!(" on host {host}")).unwrap_or_default();
        if plugin == owner {
            return write!(
                f,
                "route {method} {path} of {plugin} is declared twice (also as {owner_path}){host}; remove one"
            );
        }
        let other = if owner_path == path { String::new() } else { format!(" as {owner_path}") };
        write!(
            f,
            "route {method} {path} of {plugin} is already served by {owner}{other} (mount \"{owner_mount}\"){host}; mount one of them elsewhere: `covet deploy --mount /somewhere`"
        )
    }
}

impl std::error::Error for RouteError {}

impl Table {
    /// Builds the table of all plugins. [`Target::plugin`] is an index into `plugins`. A conflict is blamed on the later
    /// plugin of the two.
    ///
    /// # Errors
    /// The first conflict, or the first pattern that is none.
    pub fn build(plugins: &[Mounted<'_>]) -> Result<Table, RouteError> {
        let mut table = Table::default();
        for (index, plugin) in plugins.iter().enumerate() {
            let tree = match plugin.host {
                Some(host) => table.hosts.entry(host.into()).or_default(),
                None => &mut table.any,
            };
            for (number, route) in plugin.routes.iter().enumerate() {
                let target = Target { plugin: narrow(index), route: narrow(number) };
                for pattern in patterns(plugin.mount, &route.path) {
                    tree.insert(&pattern, route.method, target).map_err(|refused| match refused {
                        Refused::Pattern(reason) => {
                            RouteError::Pattern { plugin: owner(plugin), path: pattern.clone(), reason }
                        }
                        Refused::Taken(by) => conflict(plugins, plugin, &pattern, route.method, by),
                    })?;
                }
            }
        }
        table.any.finish();
        table.hosts.values_mut().for_each(Tree::finish);
        Ok(table)
    }
}

fn owner(plugin: &Mounted<'_>) -> String {
    format!("{}@{}", plugin.name, plugin.generation)
}

fn conflict(plugins: &[Mounted<'_>], plugin: &Mounted<'_>, pattern: &str, method: Method, by: Target) -> RouteError {
    let other = plugins.get(by.plugin as usize).unwrap_or(plugin);
    let other_path = other.routes.get(by.route as usize).map_or("", |route| route.path.as_str());
    RouteError::Conflict(Box::new(RouteConflict {
        method,
        path: pattern.to_owned(),
        plugin: owner(plugin),
        owner: owner(other),
        owner_path: patterns(other.mount, other_path).into_iter().next().unwrap_or_default(),
        owner_mount: other.mount.to_owned(),
        host: plugin.host.map(str::to_owned),
    }))
}

/// A route's path under its mount: one pattern, or two for the root of a mount.
pub(crate) fn patterns(mount: &str, path: &str) -> Vec<String> {
    let mount = mount.trim_end_matches('/');
    match (mount.is_empty(), path) {
        (true, path) => vec![path.to_owned()],
        (false, "/") => vec![mount.to_owned(), format!("{mount}/")],
        (false, path) => vec![format!("{mount}{path}")],
    }
}

enum Refused {
    Pattern(String),
    Taken(Target),
}

impl Tree {
    fn insert(&mut self, pattern: &str, method: Method, target: Target) -> Result<(), Refused> {
        let bad = |reason: &str| Err(Refused::Pattern(reason.to_owned()));
        if self.nodes.is_empty() {
            self.nodes.push(Node::default());
        }
        let Some(raw) = pattern.strip_prefix('/') else { return bad("it does not begin with a slash") };
        let segments: Vec<&str> = raw.split('/').collect();
        let last = segments.len() - 1;
        let mut at = 0;
        let mut rest = false;
        for (n, segment) in segments.iter().enumerate() {
            if segment.is_empty() && n < last {
                return bad("it has an empty segment");
            }
            let inner = segment.strip_prefix('{').and_then(|segment| segment.strip_suffix('}'));
            match inner {
                Some(name) if name.starts_with('*') => {
                    if n < last {
                        return bad("a rest such as {*path} must come last");
                    }
                    rest = true;
                }
                Some("") => return bad("a parameter needs a name, as {id}"),
                Some(name) if name.contains(['{', '}']) => return bad("a segment is one parameter, not several"),
                Some(_) => at = self.child(at, None),
                None if segment.contains(['{', '}']) => return bad("a parameter fills a whole segment, as /{id}/"),
                None => match path::decode(segment) {
                    Ok(text) if text == "." || text == ".." => return bad("it has a segment \".\" or \"..\""),
                    Ok(text) => at = self.child(at, Some(&text)),
                    Err(why) => return Err(Refused::Pattern(why.to_string())),
                },
            }
        }
        let next = narrow(self.leaves.len());
        let Some(node) = self.nodes.get_mut(at as usize) else { return bad("it has no place") };
        let leaf = *(if rest { &mut node.rest } else { &mut node.end }).get_or_insert(next);
        if leaf == next {
            self.leaves.push(Methods { targets: [None; METHODS], allow: HeaderValue::from_static("") });
        }
        let place = self.leaves.get_mut(leaf as usize).and_then(|methods| methods.targets.get_mut(method as usize));
        match place {
            Some(Some(taken)) => Err(Refused::Taken(*taken)),
            Some(free) => {
                *free = Some(target);
                Ok(())
            }
            None => bad("it has no place"),
        }
    }

    /// The node behind a literal, or behind a parameter.
    fn child(&mut self, at: u32, literal: Option<&str>) -> u32 {
        let next = narrow(self.nodes.len());
        let Some(node) = self.nodes.get_mut(at as usize) else { return at };
        let child = match literal {
            Some(text) => *node.literals.entry(text.into()).or_insert(next),
            None => *node.param.get_or_insert(next),
        };
        if child == next {
            self.nodes.push(Node::default());
        }
        child
    }

    /// Fills in `allow`.
    fn finish(&mut self) {
        const ORDER: [Method; METHODS] =
            [Method::Get, Method::Head, Method::Post, Method::Put, Method::Patch, Method::Delete, Method::Options];
        for leaf in &mut self.leaves {
            let names: Vec<&str> = ORDER
                .into_iter()
                .filter(|method| *method == Method::Options || leaf.get(*method).is_some())
                .map(Method::as_str)
                .collect();
            leaf.allow = HeaderValue::from_str(&names.join(", ")).unwrap_or_else(|_| HeaderValue::from_static(""));
        }
        // Roots are looked at even when nothing was inserted.
        if self.nodes.is_empty() {
            self.nodes.push(Node::default());
        }
    }
}

fn narrow(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
