//! Airports, and the routes between them in 2008.

use covet::prelude::*;

#[derive(Model, Clone, Debug)]
#[model(table = "airports", ordering = "iata")]
pub struct Airport {
    /// `SFO`; three or four capital letters or digits.
    #[field(primary_key, max_length = 4)]
    pub iata: String,
    #[field(max_length = 80)]
    pub name: String,
    /// Unknown for twelve airports of the file.
    #[field(max_length = 80)]
    pub city: Option<String>,
    #[field(max_length = 2)]
    pub state: Option<String>,
    #[field(max_length = 80)]
    pub country: String,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
}

#[derive(Model, Clone, Debug)]
#[model(
    table = "routes",
    ordering = "-flights, id",
    unique(origin, destination),
    index(origin, -flights),
    index(destination, -flights)
)]
pub struct Route {
    pub id: Id<Route>,
    #[field(on_delete = "protect")]
    pub origin: ForeignKey<Airport>,
    #[field(on_delete = "protect")]
    pub destination: ForeignKey<Airport>,
    /// Flights in 2008.
    #[field(index)]
    pub flights: i64,
}

impl Airport {
    /// `San Francisco, CA`; the country where the file knows no city.
    pub fn place(&self) -> String {
        match (&self.city, &self.state) {
            (Some(city), Some(state)) => format!("{city}, {state}"),
            (Some(city), None) => city.clone(),
            _ => self.country.clone(),
        }
    }

    /// Great-circle distance in kilometres: haversine on a sphere of 6,371 km, good to half a percent.
    pub fn distance_km(&self, other: &Airport) -> f64 {
        let [from, to] = [self, other].map(|airport| (airport.latitude.to_radians(), airport.longitude.to_radians()));
        let half = |angle: f64| (angle / 2.0).sin().powi(2);
        let a = half(to.0 - from.0) + from.0.cos() * to.0.cos() * half(to.1 - from.1);
        2.0 * 6371.0 * a.sqrt().min(1.0).asin()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn airport(iata: &str, latitude: f64, longitude: f64) -> Airport {
        let (name, country) = (iata.to_owned(), "USA".to_owned());
        Airport { iata: iata.to_owned(), name, city: None, state: None, country, latitude, longitude }
    }

    #[test]
    fn distances_are_those_of_the_atlas() {
        let (sfo, lax) = (airport("SFO", 37.619, -122.375), airport("LAX", 33.9425, -118.408));
        assert!((sfo.distance_km(&lax) - 543.0).abs() < 3.0, "{}", sfo.distance_km(&lax));
        assert_eq!(sfo.distance_km(&sfo), 0.0);
    }
}
