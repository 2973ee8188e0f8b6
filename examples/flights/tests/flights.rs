//! The flights example in the real host, on the whole of the real data.

use std::path::Path;

use covet_test::{App, Error, Response};
use serde_json::{Value, json};

const TOKEN: &str = "token-of-this-test";

fn start() -> Result<App, Error> {
    App::options().config("load_token", TOKEN).start()
}

fn load(app: &App, path: &str, csv: &[u8]) -> Result<Response, Error> {
    app.with_header("authorization", &format!("Bearer {TOKEN}")).send("POST", path, Some("text/csv"), csv)
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name))
        .expect("the file is part of the example")
}

/// Everything loaded.
fn loaded() -> Result<App, Error> {
    let app = start()?;
    load(&app, "/load/airports", &file("airports.csv"))?.expect_status(200);
    load(&app, "/load/routes", &file("flights-airport.csv"))?.expect_status(200);
    Ok(app)
}

#[test]
fn both_files_load_whole_and_what_breaks_a_rule_is_named_by_line() -> Result<(), Error> {
    let app = start()?;
    let airports = load(&app, "/load/airports", &file("airports.csv"))?.expect_status(200).json();
    assert_eq!(
        (&airports["rows"], &airports["stored"], &airports["refused_rows"], &airports["mended_rows"]),
        (&json!(3376), &json!(3376), &json!(0), &json!(24))
    );
    let mended = airports["mended"].as_array().cloned().unwrap_or_default();
    let state_college = mended.iter().find(|found| found["row"] == "SCE").cloned().unwrap_or_default();
    assert_eq!(state_college["line"], 2902);
    assert!(state_college["reason"].to_string().contains("city and state missing"), "{state_college}");

    let routes = load(&app, "/load/routes", &file("flights-airport.csv"))?.expect_status(200).json();
    assert_eq!((&routes["rows"], &routes["stored"], &routes["refused_rows"]), (&json!(5366), &json!(5366), &json!(0)));
    assert!(app.get("/")?.text().contains("3,376 airports, 5,366 routes"));
    Ok(())
}

#[test]
fn loading_twice_stores_nothing_twice() -> Result<(), Error> {
    let app = loaded()?;
    for (path, name, rows) in [("/load/airports", "airports.csv", 3376), ("/load/routes", "flights-airport.csv", 5366)]
    {
        let again = load(&app, path, &file(name))?.expect_status(200).json();
        assert_eq!((&again["stored"], &again["already_there"]), (&json!(0), &json!(rows)), "{name}");
    }
    assert!(app.get("/")?.text().contains("3,376 airports, 5,366 routes"));
    Ok(())
}

#[test]
fn a_bad_row_is_refused_with_its_line_and_the_others_are_stored() -> Result<(), Error> {
    let app = start()?;
    let airports =
        "iata,name,city,state,country,latitude,longitude\nAAA,One,Town,TX,USA,30,-97\nBBB,Two,Town,TX,USA,95,-97\n";
    let report = load(&app, "/load/airports", airports.as_bytes())?.expect_status(200).json();
    assert_eq!((&report["stored"], &report["refused"][0]["line"]), (&json!(1), &json!(3)));
    let routes = "origin,destination,count\nAAA,BBB,1\nAAA,AAA,1\n";
    let report = load(&app, "/load/routes", routes.as_bytes())?.expect_status(200).json();
    let reasons: Vec<&Value> =
        report["refused"].as_array().into_iter().flatten().map(|found| &found["reason"]).collect();
    assert_eq!(reasons, ["destination `BBB` is no known airport", "leads from AAA to itself"]);

    // Not one of the two files at all.
    let error = load(&app, "/load/routes", airports.as_bytes())?.expect_status(400).json();
    assert!(error["error"]["message"].to_string().contains("write `origin,destination,count`"), "{error}");
    Ok(())
}

#[test]
fn nobody_loads_without_the_token() -> Result<(), Error> {
    let row = b"iata,name,city,state,country,latitude,longitude\nAAA,One,Town,TX,USA,30,-97\n";
    let app = start()?;
    app.send("POST", "/load/airports", Some("text/csv"), row)?.expect_status(401);
    drop(app);
    let app = App::start()?;
    load(&app, "/load/airports", row)?.expect_status(403);
    Ok(())
}

#[test]
fn pages_name_both_ends_of_every_route() -> Result<(), Error> {
    let app = loaded()?;
    let home = app.get("/")?.expect_status(200).text();
    let busiest = home.find("San Francisco International").unwrap_or(usize::MAX);
    assert!(busiest < home.find("LaGuardia").unwrap_or(0), "the busiest route stands first\n{home}");
    assert!(home.contains("13,788") && home.contains("Los Angeles International"), "{home}");

    let page = app.get("/airports/sce")?.expect_status(200).text();
    for part in [
        "University Park",
        "(SCE)",
        "USA",
        "40.851° N, 77.846° W",
        "Departures",
        "Arrivals",
        "<svg",
        "Detroit Metropolitan-Wayne County",
    ] {
        assert!(page.contains(part), "{part} is missing in\n{page}");
    }
    assert!(app.get("/airports/00M")?.text().contains("None in 2008"));
    app.get("/airports/XXX")?.expect_status(404);

    let found = app.get("/search?q=lagua")?.text();
    assert!(found.contains("/airports/LGA"), "{found}");
    let found = app.get("/search?q=sfo")?.text();
    let first = found.find("/airports/").map(|at| &found[at..at + 13]);
    assert_eq!(first, Some("/airports/SFO"), "the exact code comes first");
    assert!(app.get("/search?q=a")?.text().contains("narrow the search"));
    Ok(())
}

#[test]
fn the_api_has_the_related_airports_inside() -> Result<(), Error> {
    let app = loaded()?;
    let busiest = app.get("/api/routes/busiest?limit=2")?.expect_status(200).json();
    assert_eq!(busiest.as_array().map(Vec::len), Some(2));
    assert_eq!(
        (&busiest[0]["origin"]["iata"], &busiest[0]["destination"]["city"], &busiest[0]["flights"]),
        (&json!("SFO"), &json!("Los Angeles"), &json!(13788))
    );
    let airport = app.get("/api/airports/mqt")?.expect_status(200).json();
    assert_eq!((&airport["name"], &airport["city"]), (&json!("Marquette County Airport"), &Value::Null));
    let routes = app.get("/api/airports/SFO/routes")?.expect_status(200).json();
    let rows = |key: &str| routes[key].as_array().map_or(0, Vec::len);
    let expected = |column: usize| {
        let text = String::from_utf8(file("flights-airport.csv")).expect("the file is UTF-8");
        text.lines().filter(|line| line.split(',').nth(column) == Some("SFO")).count()
    };
    assert_eq!((rows("departures"), rows("arrivals")), (expected(0), expected(1)));
    assert_eq!(app.get("/api/airports?q=san&limit=3")?.json().as_array().map(Vec::len), Some(3));
    app.get("/api/airports/XXX/routes")?.expect_status(404);
    Ok(())
}
