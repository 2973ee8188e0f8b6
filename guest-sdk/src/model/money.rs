//! Amounts of money: an exact decimal, and its currency in the type.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Add, Mul, Neg, Sub};
use std::str::FromStr;

use minicbor::Decoder;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeStruct};

use super::field::{Field, Numeric, Ordered, Scalar};
use super::meta::Kind;
use crate::Decimal;
use crate::wire::{DecodeError, put};

/// A currency.
pub trait Currency: Copy + fmt::Debug + 'static {
    /// Its code (ISO 4217).
    const CODE: &'static str;
    /// Digits behind the point.
    const DIGITS: u8 = 2;
}

macro_rules! currencies {
    ($($name:ident $code:literal $digits:literal;)*) => {$(
        #[doc = concat!("`", $code, "`")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name;
        impl Currency for $name {
            const CODE: &'static str = $code;
            const DIGITS: u8 = $digits;
        }
    )*};
}
currencies! {
    Usd "USD" 2; Eur "EUR" 2; Gbp "GBP" 2; Chf "CHF" 2; Cad "CAD" 2; Aud "AUD" 2; Cny "CNY" 2; Inr "INR" 2; Brl "BRL" 2;
    Sek "SEK" 2; Nok "NOK" 2; Dkk "DKK" 2; Pln "PLN" 2; Jpy "JPY" 0; Krw "KRW" 0; Kwd "KWD" 3;
}

/// An amount in the currency `C`, never through a float: dollars do not add to euros, and a column holds one currency. Other
/// currencies are types of your own that implement [`Currency`]. `#[field(digits = 18)]` says how many digits the column has,
/// `scale` how many behind the point, when they are not the currency's own.
///
/// In JSON `{"amount":"12.50","currency":"EUR"}`; an amount in another currency is refused.
///
/// ```
/// # use covet::prelude::*;
/// use covet::money::{Eur, Money};
/// #[derive(Model)]
/// struct Offer { id: Id<Offer>, price: Money<Eur> }
///
/// let price: Money<Eur> = "12.50".parse()?;
/// assert_eq!((price.clone() + price).to_string(), "25.00 EUR");
/// # let _ = Offer::objects().filter(Offer::price().lt("20".parse::<Money<Eur>>()?));
/// # Ok::<_, covet::money::NotAnAmount>(())
/// ```
pub struct Money<C> {
    amount: Decimal,
    currency: PhantomData<C>,
}

/// A text that is no amount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAnAmount(String);

impl fmt::Display for NotAnAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not an amount: write it as 12.50", self.0)
    }
}
impl std::error::Error for NotAnAmount {}

impl<C: Currency> Money<C> {
    /// So much. More digits behind the point than the column has are refused when it is stored.
    pub fn new(amount: impl Into<Decimal>) -> Self {
        Money { amount: amount.into(), currency: PhantomData }
    }

    /// The number.
    pub fn amount(&self) -> &Decimal {
        &self.amount
    }

    /// The currency's code.
    pub fn currency(&self) -> &'static str {
        C::CODE
    }
}

impl<C> Clone for Money<C> {
    fn clone(&self) -> Self {
        Money { amount: self.amount.clone(), currency: PhantomData }
    }
}
impl<C> PartialEq for Money<C> {
    fn eq(&self, other: &Self) -> bool {
        self.amount == other.amount
    }
}
impl<C> Eq for Money<C> {}
impl<C> PartialOrd for Money<C> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<C> Ord for Money<C> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.amount.cmp(&other.amount)
    }
}
impl<C> Default for Money<C> {
    fn default() -> Self {
        Money { amount: Decimal::default(), currency: PhantomData }
    }
}
impl<C: Currency> fmt::Debug for Money<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Money({self})")
    }
}
impl<C: Currency> fmt::Display for Money<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount.to_plain_string(), C::CODE)
    }
}
impl<C: Currency> FromStr for Money<C> {
    type Err = NotAnAmount;
    fn from_str(text: &str) -> Result<Self, NotAnAmount> {
        text.parse::<Decimal>().map(Money::new).map_err(|_| NotAnAmount(text.into()))
    }
}
impl<C> Add for Money<C> {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Money { amount: self.amount + other.amount, currency: PhantomData }
    }
}
impl<C> Sub for Money<C> {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Money { amount: self.amount - other.amount, currency: PhantomData }
    }
}
impl<C> Neg for Money<C> {
    type Output = Self;
    fn neg(self) -> Self {
        Money { amount: -self.amount, currency: PhantomData }
    }
}
impl<C> Mul<i64> for Money<C> {
    type Output = Self;
    fn mul(self, times: i64) -> Self {
        Money { amount: self.amount * Decimal::from(times), currency: PhantomData }
    }
}

impl<C: Currency> Serialize for Money<C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Money", 2)?;
        object.serialize_field("amount", &self.amount.to_plain_string())?;
        object.serialize_field("currency", C::CODE)?;
        object.end()
    }
}
impl<'de, C: Currency> Deserialize<'de> for Money<C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Raw {
            amount: String,
            currency: String,
        }
        let raw = Raw::deserialize(deserializer)?;
        if raw.currency != C::CODE {
            return Err(de::Error::custom(format!("an amount in {} is due, not in {:?}", C::CODE, raw.currency)));
        }
        raw.amount.parse().map_err(de::Error::custom)
    }
}

impl<C: Currency> Field for Money<C> {
    type Bare = Self;
    type Nullable = Option<Self>;
    const KIND: Kind = Kind::Decimal { digits: 18, scale: C::DIGITS };

    fn encode(&self, out: &mut Vec<u8>) {
        let _ = put(out).str(&self.amount.to_plain_string());
    }
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.str()?.parse().map_err(|error: NotAnAmount| DecodeError::message(error.to_string()))
    }
    fn bare(&self) -> Option<&Self> {
        Some(self)
    }
    fn json<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.serialize(serializer)
    }
}
impl<C: Currency> Scalar for Money<C> {}
#[diagnostic::do_not_recommend]
impl<C: Currency> Ordered for Money<C> {}
#[diagnostic::do_not_recommend]
impl<C: Currency> Numeric for Money<C> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_and_know_their_currency() {
        let price: Money<Eur> = "0.10".parse().unwrap();
        assert_eq!((price.clone() + price.clone() + price.clone()).to_string(), "0.30 EUR");
        assert_eq!((price.clone() * 3 - price.clone()).to_string(), "0.20 EUR");
        assert!(-price.clone() < price);
        assert!("12,50".parse::<Money<Eur>>().unwrap_err().to_string().contains("12.50"));
        assert!(matches!(<Money<Jpy> as Field>::KIND, Kind::Decimal { digits: 18, scale: 0 }));
    }

    #[test]
    fn json_says_the_currency_and_another_is_refused() {
        let json = serde_json::to_string(&"12.50".parse::<Money<Usd>>().unwrap()).unwrap();
        assert_eq!(json, r#"{"amount":"12.50","currency":"USD"}"#);
        assert_eq!(serde_json::from_str::<Money<Usd>>(&json).unwrap().to_string(), "12.50 USD");
        let fault = serde_json::from_str::<Money<Eur>>(&json).unwrap_err().to_string();
        assert!(fault.contains("an amount in EUR is due"), "{fault}");
    }

    #[test]
    fn it_crosses_the_wall_as_a_decimal() {
        let mut bytes = Vec::new();
        "-1234567890123456.78".parse::<Money<Gbp>>().unwrap().encode(&mut bytes);
        assert_eq!(Decoder::new(&bytes).str().unwrap(), "-1234567890123456.78");
        assert_eq!(Money::<Gbp>::decode(&mut Decoder::new(&bytes)).unwrap().to_string(), "-1234567890123456.78 GBP");
    }
}
