//! HTML. Pure functions from rows to markup; `maud` escapes every value that is spliced in.

use maud::{DOCTYPE, Markup, html};

use crate::models::{Airport, Route};

/// Airports that a page of search results shows at most.
pub const MOST_FOUND: u64 = 100;

pub const STYLE: &str = include_str!("style.css");

fn page(title: &str, query: &str, content: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · Flights 2008" }
                link rel="stylesheet" href="/style.css";
                link rel="icon" href="data:,";
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header.top {
                    a.name href="/" { "Flights 2008" }
                    form role="search" action="/search" {
                        label { span.hidden { "Airport, city or code" } input type="search" name="q" value=(query) maxlength="80" placeholder="Airport, city or code"; }
                        button { "Search" }
                    }
                }
                main #main { (content) }
                footer { "Airports and flight counts: United States government, by way of vega-datasets. See examples/flights/data/NOTICE." }
            }
        }
    }
}

pub fn home(airports: u64, routes: u64, busiest: &[Route]) -> Markup {
    page(
        "Busiest routes",
        "",
        html! {
            h1 { "Busiest routes" }
            p.meta { (number(airports)) " airports, " (number(routes)) " routes." }
            @if routes == 0 {
                p { "No flights yet. Load them: " code { "examples/flights/load.sh" } }
            } @else {
                (table(busiest))
            }
        },
    )
}

pub fn airport(airport: &Airport, departures: &[Route], arrivals: &[Route]) -> Markup {
    page(
        &airport.name,
        "",
        html! {
            h1 { (airport.name) " " code { "(" (airport.iata) ")" } }
            p.meta { (airport.place()) " · " (coordinates(airport)) }
            @if !departures.is_empty() { (map(airport, departures)) }
            h2 { "Departures" }
            @if departures.is_empty() { p { "None in 2008." } }
            @else { (table(departures)) }
            h2 { "Arrivals" }
            @if arrivals.is_empty() { p { "None in 2008." } }
            @else { (table(arrivals)) }
        },
    )
}

pub fn search(query: &str, found: &[Airport], more: bool) -> Markup {
    page(
        "Search",
        query,
        html! {
            h1 { "Airports like “" (query) "”" }
            p.meta {
                @match found.len() { 0 => "None found", 1 => "One found", n => { (n) " found" } }
                @if more { ", and more: narrow the search" }
                "."
            }
            @if !found.is_empty() {
                div.scroll { table {
                    thead { tr { th scope="col" { "Code" } th scope="col" { "Airport" } th scope="col" { "Place" } } }
                    tbody { @for airport in found { tr {
                        td { code { (airport.iata) } }
                        td { a href={ "/airports/" (airport.iata) } { (airport.name) } }
                        td { (airport.place()) }
                    } } }
                } }
            }
        },
    )
}

pub fn not_found(what: &str) -> Markup {
    page(
        "Not found",
        "",
        html! { h1 { "Not found" } p { "There is no " (what) " in the file. " a href="/" { "Busiest routes" } } },
    )
}

fn table(routes: &[Route]) -> Markup {
    html! {
        div.scroll { table {
            thead { tr {
                th scope="col" { "From" }
                th scope="col" { "To" }
                th.number scope="col" { "Flights" }
                th.number scope="col" { "Distance, km" }
            } }
            tbody { @for route in routes {
                @if let (Some(origin), Some(destination)) = (route.origin.get(), route.destination.get()) { tr {
                    td { (end(origin)) }
                    td { (end(destination)) }
                    td.number { (number(route.flights.unsigned_abs())) }
                    td.number { (number(origin.distance_km(destination).round() as u64)) }
                } }
            } }
        } }
    }
}

fn end(airport: &Airport) -> Markup {
    html! { a href={ "/airports/" (airport.iata) } { (airport.name) } " " code { (airport.iata) } }
}

/// Lines from an airport to where its flights go, east to the right, north up.
fn map(from: &Airport, departures: &[Route]) -> Markup {
    let ends: Vec<(f64, f64)> = departures.iter().filter_map(|route| route.destination.get()).map(place).collect();
    let home = place(from);
    let all = || ends.iter().chain([&home]);
    let (left, right) = all().fold((f64::MAX, f64::MIN), |(low, high), point| (low.min(point.0), high.max(point.0)));
    let (top, bottom) = all().fold((f64::MAX, f64::MIN), |(low, high), point| (low.min(point.1), high.max(point.1)));
    let (width, height) = ((right - left).max(4.0), (bottom - top).max(2.0));
    let edge = width * 0.04;
    let frame = format!("{:.2} {:.2} {:.2} {:.2}", left - edge, top - edge, width + 2.0 * edge, height + 2.0 * edge);
    html! {
        svg viewBox=(frame) role="img" aria-label={ "Map of the " (ends.len()) " destinations from " (from.name) } {
            @for (x, y) in &ends { line x1=(f(home.0)) y1=(f(home.1)) x2=(f(*x)) y2=(f(*y)) {} }
            @for (x, y) in &ends { circle cx=(f(*x)) cy=(f(*y)) r=(f(width / 250.0)) {} }
            circle cx=(f(home.0)) cy=(f(home.1)) r=(f(width / 120.0)) {}
        }
    }
}

/// Degrees on a plane that is true to scale at 38° north; places beyond the date line stay on the west.
fn place(airport: &Airport) -> (f64, f64) {
    let east = if airport.longitude > 0.0 { airport.longitude - 360.0 } else { airport.longitude };
    (east * 0.788, -airport.latitude)
}

fn f(value: f64) -> String {
    format!("{value:.2}")
}

fn coordinates(airport: &Airport) -> String {
    let half = |value: f64, names: [char; 2]| format!("{:.3}° {}", value.abs(), names[usize::from(value < 0.0)]);
    format!("{}, {}", half(airport.latitude, ['N', 'S']), half(airport.longitude, ['E', 'W']))
}

/// `7009728` → `7,009,728`.
pub fn number(value: u64) -> String {
    let digits = value.to_string();
    let groups: Vec<&[u8]> = digits.as_bytes().rchunks(3).rev().collect();
    String::from_utf8_lossy(&groups.join(&b',')).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three() {
        assert_eq!([0, 999, 1000, 7_009_728].map(number), ["0", "999", "1,000", "7,009,728"]);
    }
}
