//! What a plugin says of itself, checked.

use std::{collections::HashSet, fmt, sync::Arc};

use covet_orm::{Catalog, schema};

use crate::{
    bindings::{covet::orm::schema as wit, exports::covet::plugin::description as raw},
    error::LoadError,
    imports::shapes,
    limits::{MAX_NAME, MAX_ROUTE_PATH, MAX_ROUTES},
};

/// A plugin's description.
#[derive(Clone)]
pub struct Description {
    pub name: String,
    pub version: String,
    /// What built it, as `covet-rust/0.1.0`.
    pub sdk: String,
    /// `Request::route` is an index into it.
    pub routes: Vec<Route>,
    pub catalog: Arc<Catalog>,
}

/// One handler and the requests it answers.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Route {
    pub method: Method,
    /// `/posts/{id}` or `/files/{*rest}`, relative to the plugin's mount.
    pub path: String,
    pub handler: String,
    /// The handler reads the body as it arrives; else the host collects it first.
    pub stream_body: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
}

impl Method {
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
            Method::Options => "OPTIONS",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Description")
            .field("name", &self.name)
            .field("version", &self.version)
            .field("sdk", &self.sdk)
            .field("routes", &self.routes)
            .finish_non_exhaustive()
    }
}

impl Description {
    /// # Errors
    /// [`LoadError::Description`], [`LoadError::Route`] or [`LoadError::Schema`]: what, and what to write instead.
    pub(crate) fn check(raw: raw::PluginDescription) -> Result<Description, LoadError> {
        for (what, text) in [("name", &raw.name), ("version", &raw.version), ("sdk", &raw.sdk)] {
            if text.len() > MAX_NAME {
                return Err(LoadError::Description(format!("{what} is {} bytes, the limit is {MAX_NAME}", text.len())));
            }
        }
        if raw.name.is_empty() {
            return Err(LoadError::Description("name is empty".into()));
        }
        if raw.routes.len() > MAX_ROUTES {
            return Err(LoadError::Description(format!("{} routes, the limit is {MAX_ROUTES}", raw.routes.len())));
        }
        let routes: Vec<Route> = raw.routes.into_iter().map(route).collect();
        let mut seen = HashSet::new();
        for route in &routes {
            check_route(route).map_err(|reason| LoadError::Route { route: label(route), reason })?;
            if !seen.insert((route.method, shape(&route.path))) {
                let reason = "another route of this plugin answers the same requests; remove one".into();
                return Err(LoadError::Route { route: label(route), reason });
            }
        }
        let catalog = Catalog::new(raw.models.into_iter().map(model).collect())?;
        Ok(Description { name: raw.name, version: raw.version, sdk: raw.sdk, routes, catalog: Arc::new(catalog) })
    }
}

fn label(route: &Route) -> String {
    let path: String = route.path.chars().take(120).collect();
    format!("{} {path} ({})", route.method, route.handler)
}

/// Two paths of one shape match the same requests: parameters' names do not matter.
fn shape(path: &str) -> String {
    path.split('/')
        .map(|segment| match segment.strip_prefix('{') {
            Some(rest) if rest.starts_with('*') => "{*}",
            Some(_) => "{}",
            None => segment,
        })
        .collect::<Vec<_>>()
        .join("/")
}

fn check_route(route: &Route) -> Result<(), String> {
    let path = &route.path;
    if route.handler.is_empty() || route.handler.len() > MAX_NAME {
        return Err(format!("the handler's name must have 1 to {MAX_NAME} bytes"));
    }
    if path.len() > MAX_ROUTE_PATH {
        return Err(format!("the path is {} bytes, the limit is {MAX_ROUTE_PATH}", path.len()));
    }
    let Some(rest) = path.strip_prefix('/') else {
        return Err("a path begins with `/`".into());
    };
    let mut names = HashSet::new();
    let mut segments = rest.split('/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        if segment.is_empty() && !last {
            return Err("a path has no empty segment (`//`)".into());
        }
        if segment == "." || segment == ".." {
            return Err(format!("the segment `{segment}` never reaches a handler: paths are normalised first"));
        }
        let Some(inner) = segment.strip_prefix('{') else {
            if let Some(bad) = segment.chars().find(|c| !is_path_char(*c)) {
                return Err(format!(
                    "the character {bad:?} cannot stand in a path; write segments decoded and in ASCII, parameters as `{{name}}`"
                ));
            }
            continue;
        };
        let Some(name) = inner.strip_suffix('}') else {
            return Err(format!("`{segment}`: a parameter fills its whole segment, as `/posts/{{id}}`"));
        };
        let (name, wildcard) = name.strip_prefix('*').map_or((name, false), |name| (name, true));
        if wildcard && !last {
            return Err(format!("`{segment}` takes all the rest, so nothing can follow it"));
        }
        let valid = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !valid {
            return Err(format!("`{segment}`: a parameter's name is a letter or `_`, then letters, digits and `_`"));
        }
        if !names.insert(name) {
            return Err(format!("the parameter `{name}` stands twice"));
        }
    }
    Ok(())
}

/// `pchar` of RFC 3986 §3.3 without percent-encoding.
fn is_path_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@".contains(c)
}

fn route(raw: raw::Route) -> Route {
    Route {
        method: match raw.method {
            raw::Method::Get => Method::Get,
            raw::Method::Head => Method::Head,
            raw::Method::Post => Method::Post,
            raw::Method::Put => Method::Put,
            raw::Method::Patch => Method::Patch,
            raw::Method::Delete => Method::Delete,
            raw::Method::Options => Method::Options,
        },
        path: raw.path,
        handler: raw.handler,
        stream_body: raw.stream_body,
    }
}

fn model(raw: wit::Model) -> schema::Model {
    let columns = |columns: Vec<wit::IndexColumn>| {
        columns
            .into_iter()
            .map(|column| schema::IndexColumn { field: column.field, descending: column.descending })
            .collect()
    };
    schema::Model {
        name: raw.name,
        table: raw.table,
        fields: raw.fields.into_iter().map(field).collect(),
        indexes: raw
            .indexes
            .into_iter()
            .map(|index| schema::Index {
                name: index.name,
                columns: columns(index.columns),
                unique: index.unique,
                folded: index.folded,
                condition: index.condition.map(condition),
            })
            .collect(),
        checks: raw
            .checks
            .into_iter()
            .map(|check| schema::Check { name: check.name, condition: condition(check.condition) })
            .collect(),
        ordering: columns(raw.ordering),
        managed: raw.managed,
        max_rows: raw.max_rows,
    }
}

fn condition(raw: wit::Condition) -> schema::Condition {
    schema::Condition { filter: shapes::nodes(raw.filter), params: raw.params }
}

fn field(raw: wit::Field) -> schema::Field {
    schema::Field {
        name: raw.name,
        column: raw.column,
        kind: kind(raw.kind),
        nullable: raw.nullable,
        unique: raw.unique,
        indexed: raw.indexed,
        primary_key: raw.primary_key,
        auto_increment: raw.auto_increment,
        references: raw.references.map(|relation| schema::Relation {
            model: relation.model,
            on_delete: match relation.on_delete {
                wit::OnDelete::Cascade => schema::OnDelete::Cascade,
                wit::OnDelete::Protect => schema::OnDelete::Protect,
                wit::OnDelete::Restrict => schema::OnDelete::Restrict,
                wit::OnDelete::SetNull => schema::OnDelete::SetNull,
                wit::OnDelete::SetDefault => schema::OnDelete::SetDefault,
                wit::OnDelete::SetValue => schema::OnDelete::SetValue,
                wit::OnDelete::DoNothing => schema::OnDelete::DoNothing,
            },
            value: relation.value,
        }),
        default: raw.default,
    }
}

fn kind(raw: wit::Kind) -> schema::Kind {
    match raw {
        wit::Kind::Boolean => schema::Kind::Boolean,
        wit::Kind::Int16 => schema::Kind::Int16,
        wit::Kind::Int32 => schema::Kind::Int32,
        wit::Kind::Int64 => schema::Kind::Int64,
        wit::Kind::Float32 => schema::Kind::Float32,
        wit::Kind::Float64 => schema::Kind::Float64,
        wit::Kind::Decimal(spec) => {
            schema::Kind::Decimal(schema::DecimalSpec { digits: spec.digits, scale: spec.scale })
        }
        wit::Kind::Varchar(limit) => schema::Kind::Varchar(limit),
        wit::Kind::Text => schema::Kind::Text,
        wit::Kind::Binary => schema::Kind::Binary,
        wit::Kind::Datetime => schema::Kind::Datetime,
        wit::Kind::Date => schema::Kind::Date,
        wit::Kind::Time => schema::Kind::Time,
        wit::Kind::Duration => schema::Kind::Duration,
        wit::Kind::Json => schema::Kind::Json,
        wit::Kind::Uuid => schema::Kind::Uuid,
        wit::Kind::Enumeration(values) => schema::Kind::Enumeration(values),
        wit::Kind::Email => schema::Kind::Email,
        wit::Kind::Url => schema::Kind::Url,
        wit::Kind::Slug(limit) => schema::Kind::Slug(limit),
        wit::Kind::IpAddress => schema::Kind::IpAddress,
        wit::Kind::Array(spec) => {
            schema::Kind::Array(schema::ArraySpec { element: element(spec.element), size: spec.size })
        }
    }
}

fn element(raw: wit::Element) -> schema::Element {
    match raw {
        wit::Element::Boolean => schema::Element::Boolean,
        wit::Element::Int16 => schema::Element::Int16,
        wit::Element::Int32 => schema::Element::Int32,
        wit::Element::Int64 => schema::Element::Int64,
        wit::Element::Float64 => schema::Element::Float64,
        wit::Element::Text => schema::Element::Text,
        wit::Element::Datetime => schema::Element::Datetime,
        wit::Element::Date => schema::Element::Date,
        wit::Element::Uuid => schema::Element::Uuid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(path: &str) -> Result<(), String> {
        check_route(&Route { method: Method::Get, path: path.into(), handler: "h".into(), stream_body: false })
    }

    #[test]
    fn paths_are_checked_and_the_message_says_what_to_write() {
        for good in ["/", "/posts", "/posts/", "/posts/{id}", "/{a}/{b_2}", "/files/{*rest}", "/a-b.c/~x", "/@{me"] {
            assert_eq!(checked(good).is_ok(), good != "/@{me", "{good}");
        }
        for (bad, says) in [
            ("posts", "begins with"),
            ("", "begins with"),
            ("/a//b", "empty segment"),
            ("/a/../b", "never reaches"),
            ("/posts/{id", "whole segment"),
            ("/posts/{id}.json", "whole segment"),
            ("/{*rest}/x", "nothing can follow"),
            ("/{}", "name is a letter"),
            ("/{1a}", "name is a letter"),
            ("/{a}/{a}", "stands twice"),
            ("/käse", "cannot stand"),
            ("/a b", "cannot stand"),
            ("/%41", "cannot stand"),
        ] {
            let reason = checked(bad).expect_err(bad);
            assert!(reason.contains(says), "{bad}: {reason}");
        }
        assert!(checked(&format!("/{}", "a".repeat(MAX_ROUTE_PATH))).is_err());
    }

    #[test]
    fn parameters_names_do_not_tell_routes_apart() {
        assert_eq!(shape("/a/{id}/{*rest}"), shape("/a/{slug}/{*all}"));
        assert_ne!(shape("/a/{id}"), shape("/a/{*id}"));
    }
}
