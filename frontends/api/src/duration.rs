//! Durations as gateway.toml writes them: digits and a unit, `12h`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The units and their lengths in milliseconds, longest first.
const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// A duration in milliseconds, written as digits and `ms`, `s`, `m`, `h` or `d`.
///
/// ```
/// use frontend_api::duration::Millis;
///
/// assert_eq!("90s".parse(), Ok(Millis(90_000)));
/// assert_eq!(Millis::from_hours(12).to_string(), "12h");
/// assert!("90".parse::<Millis>().is_err(), "the unit is missing");
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Millis(pub u64);

/// The error for a text that is not a duration.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NotADuration(String);

impl Millis {
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs * 1_000)
    }

    pub const fn from_mins(mins: u64) -> Self {
        Self::from_secs(mins * 60)
    }

    pub const fn from_hours(hours: u64) -> Self {
        Self::from_mins(hours * 60)
    }

    pub const fn from_days(days: u64) -> Self {
        Self::from_hours(days * 24)
    }
}

impl FromStr for Millis {
    type Err = NotADuration;

    fn from_str(text: &str) -> Result<Self, NotADuration> {
        let wrong = || NotADuration(text.to_owned());
        let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (digits, unit) = text.split_at(unit_at);
        let (_, ms) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let number: u64 = digits.parse().map_err(|_| wrong())?;
        number.checked_mul(*ms).map(Self).ok_or_else(wrong)
    }
}

/// In the longest unit that leaves no fraction.
impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |(_, ms): &&(&str, u64)| self.0 != 0 && self.0.is_multiple_of(*ms);
        let (unit, ms) = UNITS.iter().find(whole).unwrap_or(&("s", 1_000));
        write!(f, "{}{unit}", self.0 / ms)
    }
}

impl fmt::Display for NotADuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is not a duration: digits and ms, s, m, h or d, such as \"90s\" or \"12h\"",
            self.0
        )
    }
}

impl std::error::Error for NotADuration {}

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Millis {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read_and_written() {
        for (text, ms) in [
            ("0s", 0),
            ("250ms", 250),
            ("90s", 90_000),
            ("10m", 600_000),
            ("12h", 43_200_000),
            ("7d", 604_800_000),
        ] {
            assert_eq!(text.parse(), Ok(Millis(ms)), "{text}");
            assert_eq!(Millis(ms).to_string(), text);
        }
    }

    #[test]
    fn the_longest_unit_that_leaves_no_fraction_is_written() {
        assert_eq!(Millis(24 * 3_600_000).to_string(), "1d");
        assert_eq!(Millis(90 * 60_000).to_string(), "90m");
        assert_eq!(Millis(1_001).to_string(), "1001ms");
    }

    #[test]
    fn the_error_says_what_a_duration_is() {
        for text in ["", "12", "h", "1.5h", "-1s", "12 h", "12H", "1h30m", "99999999999999999999d"]
        {
            let fault = text.parse::<Millis>().expect_err(text);
            assert!(fault.to_string().contains("digits and ms, s, m, h or d"), "{fault}");
        }
    }
}
