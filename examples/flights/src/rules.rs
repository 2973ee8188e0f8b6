//! What a row must be to be stored, and the report on those that are not.
//!
//! A row is stored as it is, stored after mending, or refused. Mended and refused rows stand in the report with their
//! line; nothing is dropped or changed in silence.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use crate::records::Record;

pub const AIRPORT_COLUMNS: [&str; 7] = ["iata", "name", "city", "state", "country", "latitude", "longitude"];
pub const ROUTE_COLUMNS: [&str; 3] = ["origin", "destination", "count"];

/// Most findings of one kind that are kept with line and reason; past it they are only counted.
const MAX_FINDINGS: usize = 1000;

/// One row of airports.csv that keeps the rules.
#[derive(Debug, PartialEq)]
pub struct AirportRow {
    pub iata: String,
    pub name: String,
    pub city: Option<String>,
    pub state: Option<String>,
    pub country: String,
    pub latitude: f64,
    pub longitude: f64,
}

/// One row of flights-airport.csv that keeps the rules.
#[derive(Debug, PartialEq)]
pub struct RouteRow {
    pub origin: String,
    pub destination: String,
    pub flights: i64,
}

/// A row that breaks a rule.
#[derive(Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Line of the file; the header is line 1.
    pub line: u64,
    /// The row's own name: an airport's code, or `ORIGIN-DESTINATION`.
    pub row: String,
    pub reason: String,
}

/// What a load did with each row of the file. `rows = stored + already_there + refused_rows`.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Rows read, without the header.
    pub rows: u64,
    pub stored: u64,
    /// Rows whose key the table held before.
    pub already_there: u64,
    pub refused_rows: u64,
    /// Rows among `stored` and `already_there` that were changed to keep a rule.
    pub mended_rows: u64,
    pub refused: Vec<Finding>,
    pub mended: Vec<Finding>,
}

impl Report {
    fn refuse(&mut self, line: u64, row: String, reason: String) {
        self.refused_rows += 1;
        if self.refused.len() < MAX_FINDINGS {
            self.refused.push(Finding { line, row, reason });
        }
    }

    fn mend(&mut self, line: u64, row: String, reason: String) {
        self.mended_rows += 1;
        if self.mended.len() < MAX_FINDINGS {
            self.mended.push(Finding { line, row, reason });
        }
    }
}

/// Checks one file's rows as they come: the header first, then every row against `R`.
pub struct Sieve<R: Row> {
    rules: R,
    header: Option<Result<(), String>>,
    /// Key of each good row, and its line.
    seen: HashMap<String, u64>,
    pub good: Vec<R::Good>,
    pub report: Report,
}

/// The rules of one file.
pub trait Row {
    type Good;
    const COLUMNS: &'static [&'static str];

    /// The row's own name, for the report and to find a row that comes twice.
    fn key(fields: &[&str]) -> String;
    /// The row to store and what was mended in it, or why it is refused.
    fn check(&self, fields: &[&str]) -> Result<(Self::Good, Vec<String>), String>;
}

impl<R: Row> Sieve<R> {
    pub fn new(rules: R) -> Sieve<R> {
        Sieve { rules, header: None, seen: HashMap::new(), good: Vec::new(), report: Report::default() }
    }

    /// The file's header is as expected. Says what is wrong with it otherwise.
    pub fn header(&self) -> Result<(), String> {
        self.header.clone().unwrap_or_else(|| Err("the file is empty".to_owned()))
    }

    pub fn take(&mut self, record: Record<'_>) {
        if self.header.is_none() {
            self.header = Some(match record.fields {
                Ok(fields) if fields == R::COLUMNS => Ok(()),
                Ok(fields) => Err(format!("line 1 is `{}`; write `{}`", fields.join(","), R::COLUMNS.join(","))),
                Err(reason) => Err(format!("line 1 {reason}")),
            });
            return;
        }
        self.report.rows += 1;
        let line = record.line;
        let fields = match record.fields {
            Ok(fields) => fields,
            Err(reason) => return self.report.refuse(line, String::new(), reason),
        };
        if fields.len() != R::COLUMNS.len() {
            let reason = format!("has {} fields; the header has {}", fields.len(), R::COLUMNS.len());
            return self.report.refuse(line, fields.first().copied().unwrap_or_default().to_owned(), reason);
        }
        let key = R::key(&fields);
        match self.rules.check(&fields) {
            Err(reason) => self.report.refuse(line, key, reason),
            Ok((good, mended)) => {
                if let Some(first) = self.seen.get(&key) {
                    return self.report.refuse(line, key, format!("comes twice; line {first} is kept"));
                }
                if !mended.is_empty() {
                    self.report.mend(line, key.clone(), mended.join("; "));
                }
                self.seen.insert(key, line);
                self.good.push(good);
            }
        }
    }
}

/// Rules of airports.csv.
pub struct Airports;

impl Row for Airports {
    type Good = AirportRow;
    const COLUMNS: &'static [&'static str] = &AIRPORT_COLUMNS;

    fn key(fields: &[&str]) -> String {
        fields[0].to_owned()
    }

    fn check(&self, fields: &[&str]) -> Result<(AirportRow, Vec<String>), String> {
        let [iata, name, city, state, country, latitude, longitude] = fields else {
            return Err("has not seven fields".to_owned());
        };
        let mut mended = Vec::new();
        if !(3..=4).contains(&iata.len())
            || !iata.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        {
            return Err(format!("code `{iata}` is not three or four capital letters or digits"));
        }
        let unknown: Vec<&str> = [("city", city), ("state", state)]
            .iter()
            .filter(|(_, value)| is_missing(value))
            .map(|(column, _)| *column)
            .collect();
        if !unknown.is_empty() {
            mended.push(format!("{} missing (`NA` or empty); stored as unknown", unknown.join(" and ")));
        }
        let state = (!is_missing(state)).then(|| state.trim().to_owned());
        if let Some(code) =
            state.as_deref().filter(|code| code.len() != 2 || !code.bytes().all(|byte| byte.is_ascii_uppercase()))
        {
            return Err(format!("state `{code}` is not two capital letters"));
        }
        let row = AirportRow {
            iata: (*iata).to_owned(),
            name: text("name", name, &mut mended)?,
            city: if is_missing(city) { None } else { Some(text("city", city, &mut mended)?) },
            state,
            country: text("country", country, &mut mended)?,
            latitude: degrees("latitude", latitude, 90.0)?,
            longitude: degrees("longitude", longitude, 180.0)?,
        };
        Ok((row, mended))
    }
}

/// Rules of flights-airport.csv.
pub struct Routes {
    /// Codes of all airports that the table holds.
    pub airports: HashSet<String>,
}

impl Row for Routes {
    type Good = RouteRow;
    const COLUMNS: &'static [&'static str] = &ROUTE_COLUMNS;

    fn key(fields: &[&str]) -> String {
        format!("{}-{}", fields[0], fields[1])
    }

    fn check(&self, fields: &[&str]) -> Result<(RouteRow, Vec<String>), String> {
        let [origin, destination, count] = fields else {
            return Err("has not three fields".to_owned());
        };
        for (column, code) in [("origin", origin), ("destination", destination)] {
            if !self.airports.contains(*code) {
                return Err(format!("{column} `{code}` is no known airport"));
            }
        }
        if origin == destination {
            return Err(format!("leads from {origin} to itself"));
        }
        let flights = match count.parse::<i64>() {
            Ok(flights) if flights > 0 => flights,
            _ => return Err(format!("count `{count}` is not a whole number above 0")),
        };
        Ok((RouteRow { origin: (*origin).to_owned(), destination: (*destination).to_owned(), flights }, Vec::new()))
    }
}

/// The files write `NA` where they do not know.
fn is_missing(value: &str) -> bool {
    matches!(value.trim(), "" | "NA")
}

/// Text with single spaces, at most 80 characters.
fn text(column: &str, value: &str, mended: &mut Vec<String>) -> Result<String, String> {
    let tidy = value.split_whitespace().collect::<Vec<_>>().join(" ");
    if tidy.is_empty() || tidy == "NA" {
        return Err(format!("{column} is missing"));
    }
    if tidy.chars().count() > 80 {
        return Err(format!("{column} has {} characters; the column holds 80", tidy.chars().count()));
    }
    if tidy != value {
        mended.push(format!("{column} `{value}` has needless spaces; stored as `{tidy}`"));
    }
    Ok(tidy)
}

fn degrees(column: &str, value: &str, limit: f64) -> Result<f64, String> {
    match value.parse::<f64>() {
        Ok(degrees) if degrees.abs() <= limit => Ok(degrees),
        _ => Err(format!("{column} `{value}` is not a number of degrees from -{limit} to {limit}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Records;

    fn sieve<R: Row>(rules: R, text: &str) -> Sieve<R> {
        let mut sieve = Sieve::new(rules);
        let mut records = Records::new();
        records.feed(text.as_bytes(), |record| sieve.take(record));
        records.finish(|record| sieve.take(record));
        sieve
    }

    fn lines(findings: &[Finding]) -> Vec<u64> {
        findings.iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn the_real_airports_are_all_kept_and_what_is_mended_is_named() {
        let sieve = sieve(Airports, include_str!("../data/airports.csv"));
        assert_eq!(sieve.header(), Ok(()));
        assert_eq!((sieve.report.rows, sieve.good.len(), sieve.report.refused_rows), (3376, 3376, 0));
        let missing: Vec<&Finding> =
            sieve.report.mended.iter().filter(|found| found.reason.contains("missing")).collect();
        assert_eq!(
            missing.iter().map(|found| (found.line, found.row.as_str())).collect::<Vec<_>>(),
            [
                (1138, "CLD"),
                (1717, "HHH"),
                (2253, "MIB"),
                (2314, "MQT"),
                (2754, "RCA"),
                (2761, "RDR"),
                (2796, "ROP"),
                (2797, "ROR"),
                (2902, "SCE"),
                (2966, "SKA"),
                (3003, "SPN"),
                (3357, "YAP"),
            ]
        );
        assert_eq!(sieve.report.mended_rows, 24, "12 without city and state, 12 with doubled spaces");
    }

    #[test]
    fn the_real_routes_break_no_rule() {
        let airports =
            sieve(Airports, include_str!("../data/airports.csv")).good.into_iter().map(|row| row.iata).collect();
        let sieve = sieve(Routes { airports }, include_str!("../data/flights-airport.csv"));
        assert_eq!((sieve.report.rows, sieve.good.len(), sieve.report.refused_rows), (5366, 5366, 0));
        assert_eq!(sieve.good.iter().map(|row| row.flights).sum::<i64>(), 7_009_728);
    }

    #[test]
    fn every_airport_rule_names_line_and_reason() {
        let found = sieve(
            Airports,
            "iata,name,city,state,country,latitude,longitude\n\
             AAA,Good,Town,TX,USA,30.5,-97\n\
             aaa,Small,Town,TX,USA,30.5,-97\n\
             AAB,Far,Town,TX,USA,91,-97\n\
             AAC,Far,Town,TX,USA,30,-181\n\
             AAD,Not a number,Town,TX,USA,NaN,-97\n\
             AAE,Short,Town,TX,USA\n\
             AAA,Again,Town,TX,USA,30.5,-97\n\
             AAF,,Town,TX,USA,30.5,-97\n\
             AAG,Where,Town,Texas,USA,30.5,-97\n",
        );
        assert_eq!(found.good.len(), 1);
        assert_eq!(lines(&found.report.refused), [3, 4, 5, 6, 7, 8, 9, 10]);
        assert!(found.report.refused[5].reason.contains("line 2 is kept"), "{:?}", found.report.refused[5]);
    }

    #[test]
    fn every_route_rule_names_line_and_reason() {
        let airports = ["AAA", "BBB"].map(str::to_owned).into();
        let found = sieve(
            Routes { airports },
            "origin,destination,count\nAAA,BBB,3\nAAA,AAA,3\nAAA,CCC,3\nCCC,AAA,3\nBBB,AAA,0\nBBB,AAA,1.5\nAAA,BBB,4\nBBB,AAA\n",
        );
        assert_eq!(found.good.len(), 1);
        assert_eq!(lines(&found.report.refused), [3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(
            found.report.refused[1],
            Finding { line: 4, row: "AAA-CCC".to_owned(), reason: "destination `CCC` is no known airport".to_owned() }
        );
    }

    #[test]
    fn a_file_with_another_header_is_not_taken() {
        assert!(sieve(Airports, "").header().is_err());
        let reason = sieve(Airports, include_str!("../data/flights-airport.csv")).header().unwrap_err();
        assert!(reason.contains("origin,destination,count") && reason.contains("write `iata,name"), "{reason}");
    }
}
