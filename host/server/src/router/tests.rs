use covet_runtime::Route;
use proptest::prelude::*;

use super::*;

fn route(method: Method, path: &str) -> Route {
    Route { method, path: path.to_owned(), handler: "h".to_owned(), stream_body: false }
}

fn get(paths: &[&str]) -> Vec<Route> {
    paths.iter().map(|path| route(Method::Get, path)).collect()
}

fn mounted<'a>(name: &'a str, mount: &'a str, routes: &'a [Route]) -> Mounted<'a> {
    Mounted { name, generation: 3, host: None, mount, routes }
}

/// Number of the GET route that serves `path`, and its parameters.
fn at(table: &Table, path: &str) -> Option<(u32, Vec<String>)> {
    let found = table.find("", path).unwrap()?;
    let target = found.methods.get(Method::Get)?;
    Some((target.route, found.params.into_iter().map(Cow::into_owned).collect()))
}

fn table(paths: &[&str]) -> Table {
    Table::build(&[mounted("blog", "/", &get(paths))]).unwrap()
}

#[test]
fn literal_comes_before_parameter_before_rest_and_dead_ends_are_left() {
    let table = table(&["/a/b/c", "/a/{x}/d", "/a/{*rest}", "/{x}/b/e", "/{*rest}", "/"]);
    let strings = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    assert_eq!(at(&table, "/a/b/c"), Some((0, vec![])));
    assert_eq!(at(&table, "/a/b/d"), Some((1, strings(&["b"]))), "the literal b leads nowhere");
    assert_eq!(at(&table, "/a/b/e"), Some((2, strings(&["b/e"]))), "a literal decides before what is left of it");
    assert_eq!(at(&table, "/z/b/e"), Some((3, strings(&["z"]))));
    assert_eq!(at(&table, "/z/b/f"), Some((4, strings(&["z/b/f"]))));
    assert_eq!(at(&table, "/"), Some((5, vec![])));
}

#[test]
fn names_of_parameters_do_not_distinguish() {
    let table = table(&["/a/{id}", "/a/{slug}/b", "/{x}/{y}/{z}"]);
    assert_eq!(at(&table, "/a/7").unwrap().0, 0);
    assert_eq!(at(&table, "/a/7/b").unwrap(), (1, vec!["7".to_owned()]));
    assert_eq!(at(&table, "/a/7/c").unwrap(), (2, vec!["a".to_owned(), "7".to_owned(), "c".to_owned()]));
    let both = get(&["/a/{id}", "/a/{slug}"]);
    assert!(Table::build(&[mounted("blog", "/", &both)]).is_err());
}

#[test]
fn a_rest_may_be_empty_but_needs_its_slash_and_a_parameter_may_not_be() {
    let table = table(&["/files/{*rest}", "/posts/{id}"]);
    assert_eq!(at(&table, "/files/").unwrap().1, [""]);
    assert_eq!(at(&table, "/files"), None);
    assert_eq!(at(&table, "/files/a/b/").unwrap().1, ["a/b/"]);
    assert_eq!(at(&table, "/posts/"), None);
    assert_eq!(at(&table, "/posts/1/"), None);
}

#[test]
fn double_slashes_are_nobodys() {
    let table = table(&["/files/{*rest}", "/{a}/{b}", "/"]);
    for path in ["//", "//files", "/files//a", "/files/a//", "/a//b"] {
        assert_eq!(at(&table, path), None, "{path}");
    }
}

#[test]
fn percent_encoding_is_undone_once_and_an_encoded_slash_stays_inside() {
    let table = table(&["/a/{x}", "/caf%C3%A9", "/f/{*rest}"]);
    assert_eq!(at(&table, "/a/x%2Fy").unwrap().1, ["x/y"]);
    assert_eq!(at(&table, "/a/%252F").unwrap().1, ["%2F"]);
    assert_eq!(at(&table, "/%61/%C3%A9").unwrap().1, ["é"]);
    assert_eq!(at(&table, "/caf%c3%a9").unwrap().0, 1);
    assert_eq!(at(&table, "/café").unwrap().0, 1);
    assert_eq!(at(&table, "/f/a%20b/c%2Fd").unwrap().1, ["a b/c/d"]);
    assert_eq!(at(&table, "/a%2Fb"), None, "an encoded slash separates nothing");
    assert_eq!(at(&table, "/a/+").unwrap().1, ["+"]);
}

#[test]
fn what_cannot_be_decoded_and_dot_segments_are_refused() {
    let table = table(&["/{*rest}"]);
    let refused = |path: &str| table.find("", path).unwrap_err();
    for path in ["/%", "/a/%2", "/%zz", "/%2%41"] {
        assert_eq!(refused(path), BadPath::Encoding, "{path}");
    }
    assert_eq!(refused("/%ff"), BadPath::Utf8);
    assert_eq!(refused("/a%00b"), BadPath::Nul);
    for path in ["/.", "/..", "/a/../b", "/a/./b", "/%2e%2E/b", "/.%2e", "/a/%2E", "/x%2F..%2Fy", "/..%2f"] {
        assert_eq!(refused(path), BadPath::Dots, "{path}");
    }
    assert_eq!(refused("a"), BadPath::Relative);
    assert!(at(&table, "/.well-known/x").is_some());
    assert!(at(&table, "/...").is_some());
}

#[test]
fn methods_decide_after_the_path_and_allow_names_them() {
    let routes = vec![
        route(Method::Get, "/a"),
        route(Method::Post, "/a"),
        route(Method::Delete, "/{x}"),
        route(Method::Head, "/h"),
        route(Method::Get, "/h"),
    ];
    let table = Table::build(&[mounted("blog", "/", &routes)]).unwrap();
    let methods = table.find("", "/a").unwrap().unwrap().methods;
    assert_eq!(methods.allow, "GET, HEAD, POST, OPTIONS");
    assert_eq!(methods.get(Method::Head).unwrap().route, 0);
    assert_eq!(methods.get(Method::Delete), None, "the more specific path decides");
    assert_eq!(table.find("", "/b").unwrap().unwrap().methods.allow, "DELETE, OPTIONS");
    assert_eq!(table.find("", "/h").unwrap().unwrap().methods.get(Method::Head).unwrap().route, 3);
}

#[test]
fn a_mounts_root_is_served_with_and_without_its_slash() {
    let routes = get(&["/", "/x"]);
    let table = Table::build(&[mounted("blog", "/b", &routes)]).unwrap();
    assert_eq!(at(&table, "/b").unwrap().0, 0);
    assert_eq!(at(&table, "/b/").unwrap().0, 0);
    assert_eq!(at(&table, "/b/x").unwrap().0, 1);
    assert_eq!(at(&table, "/x"), None);
    assert_eq!(at(&table, "/bx"), None);
}

#[test]
fn a_conflict_names_both_owners() {
    let routes = get(&["/posts/{id}"]);
    let other = get(&["/about", "/posts/{slug}"]);
    let error =
        Table::build(&[Mounted { generation: 7, ..mounted("shop", "/", &other) }, mounted("blog", "/", &routes)])
            .unwrap_err();
    assert_eq!(
        error.to_string(),
        "route GET /posts/{id} of blog@3 is already served by shop@7 as /posts/{slug} (mount \"/\"); mount one of them elsewhere: `covet deploy --mount /somewhere`"
    );
    assert_eq!(error.code(), "route-conflict");
    let twice = get(&["/a", "/a"]);
    let error = Table::build(&[mounted("blog", "/", &twice)]).unwrap_err();
    assert_eq!(error.to_string(), "route GET /a of blog@3 is declared twice (also as /a); remove one");
}

#[test]
fn plugins_of_a_host_are_asked_first_and_do_not_conflict_with_others() {
    let routes = get(&["/a"]);
    let everywhere = get(&["/a", "/b"]);
    let table = Table::build(&[
        Mounted { host: Some("example.com"), ..mounted("special", "/", &routes) },
        mounted("general", "/", &everywhere),
    ])
    .unwrap();
    let plugin = |host: &str, path: &str| {
        table.find(host, path).unwrap().and_then(|found| found.methods.get(Method::Get)).map(|target| target.plugin)
    };
    assert_eq!(plugin("example.com", "/a"), Some(0));
    assert_eq!(plugin("example.com", "/b"), Some(1));
    assert_eq!(plugin("other.org", "/a"), Some(1));
}

#[test]
fn patterns_that_are_none_are_refused() {
    for bad in ["a", "/a//b", "/{*rest}/a", "/{}", "/a{x}", "/{x}b", "/{a}{b}", "/../a", "/%zz", "/{"] {
        let routes = get(&[bad]);
        assert!(matches!(Table::build(&[mounted("p", "/", &routes)]), Err(RouteError::Pattern { .. })), "{bad}");
    }
}

#[test]
fn a_path_of_many_segments_and_a_table_of_twins_stay_cheap() {
    // Every level has a literal and a parameter: a matcher without memory of its nodes would try 2^20 ways.
    let mut pattern = String::new();
    let mut path = String::new();
    for _ in 0..20 {
        pattern.push_str("/{x}");
        path.push_str("/a");
    }
    let literal = path.clone() + "/end";
    let routes = get(&[&literal, &(pattern + "/end"), "/{*rest}"]);
    let table = Table::build(&[mounted("p", "/", &routes)]).unwrap();
    assert_eq!(at(&table, &(path + "/none")).unwrap().0, 2);
    assert_eq!(at(&table, &"/a".repeat(30_000)).unwrap().0, 2);
}

#[test]
fn matchit_refuses_what_our_rules_allow() {
    let mut tree = matchit::Router::new();
    tree.insert("/{id}", 0).unwrap();
    assert!(tree.insert("/{*rest}", 1).is_err(), "matchit learned it: use it again, see docs/decisions/005-router.md");
}

/// Rank of a fit, smaller is better, segment by segment; none where the pattern does not fit.
fn fits(pattern: &str, path: &str) -> Option<(Vec<u8>, Vec<String>)> {
    let (pattern, path): (Vec<&str>, Vec<&str>) = (pattern[1..].split('/').collect(), path[1..].split('/').collect());
    let (mut rank, mut params) = (Vec::new(), Vec::new());
    for (n, wanted) in pattern.iter().enumerate() {
        let segment = *path.get(n)?;
        if wanted.starts_with("{*") {
            rank.push(2);
            params.push(path[n..].join("/"));
            return Some((rank, params));
        } else if wanted.starts_with('{') {
            if segment.is_empty() {
                return None;
            }
            rank.push(1);
            params.push(segment.to_owned());
        } else if *wanted == segment {
            rank.push(0);
        } else {
            return None;
        }
    }
    (pattern.len() == path.len()).then_some((rank, params))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_table_answers_as_a_naive_matcher_does(
        patterns in prop::collection::vec(
            (prop::collection::vec(prop_oneof![Just("a"), Just("b"), Just("{x}"), Just("{y}")], 0..4), prop_oneof![Just(""), Just("/{*r}"), Just("/")]),
            1..12,
        ),
        paths in prop::collection::vec(
            (prop::collection::vec(prop_oneof![Just("a"), Just("b"), Just("c")], 0..5), any::<bool>()), 1..12),
    ) {
        let mut kept: Vec<String> = Vec::new();
        for (segments, end) in patterns {
            let text = segments.iter().map(|s| format!("/{s}")).collect::<String>() + end;
            let text = if text.is_empty() { "/".to_owned() } else { text };
            kept.push(text);
            let routes = get(&kept.iter().map(String::as_str).collect::<Vec<_>>());
            if Table::build(&[mounted("p", "/", &routes)]).is_err() {
                kept.pop();
            }
        }
        let table = table(&kept.iter().map(String::as_str).collect::<Vec<_>>());
        for (segments, slash) in paths {
            let path = segments.iter().map(|s| format!("/{s}")).collect::<String>() + if slash || segments.is_empty() { "/" } else { "" };
            let expected = kept
                .iter()
                .enumerate()
                .filter_map(|(n, pattern)| fits(pattern, &path).map(|(rank, params)| (rank, n as u32, params)))
                .min()
                .map(|(_, n, params)| (n, params));
            prop_assert_eq!(at(&table, &path), expected, "{} in {:?}", path, kept);
        }
    }

    #[test]
    fn no_path_and_no_pattern_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        fuzzing::match_any(&bytes);
    }
}
