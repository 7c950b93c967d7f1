//! Durations as Go writes them: `1h`, `90s`, `1h30m`, `1.5h`, `0`.

use std::time::Duration;

/// No duration.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("a duration is like 1h, 15m or 1h30m, or 0")]
pub struct DurationError;

/// `ms` before `m`, which it begins with.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// The duration that the text says.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text;
    let mut nanoseconds = 0_u64;
    while !rest.is_empty() {
        let (part, after) = next(rest).ok_or(DurationError)?;
        nanoseconds = nanoseconds.checked_add(part).ok_or(DurationError)?;
        rest = after;
    }
    if text.is_empty() { Err(DurationError) } else { Ok(Duration::from_nanos(nanoseconds)) }
}

/// The nanoseconds of the first number with its unit, and what follows it.
fn next(text: &str) -> Option<(u64, &str)> {
    let (whole, rest) = digits(text);
    let (fraction, rest) = rest.strip_prefix('.').map_or(("", rest), digits);
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let (unit, rest) = UNITS.iter().find_map(|(name, unit)| Some((*unit, rest.strip_prefix(name)?)))?;
    let whole = if whole.is_empty() { 0 } else { whole.parse::<u64>().ok()? };
    let nanoseconds = whole.checked_mul(unit)?.checked_add(parts(fraction, unit))?;
    // Go's durations end here.
    (i64::try_from(nanoseconds).is_ok()).then_some((nanoseconds, rest))
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

/// That fraction of a unit; what is less than a nanosecond does not count.
fn parts(fraction: &str, unit: u64) -> u64 {
    let mut place = u128::from(unit) * 1_000_000;
    let mut sum = 0;
    for digit in fraction.bytes() {
        place /= 10;
        sum += u128::from(digit - b'0') * place;
    }
    u64::try_from(sum / 1_000_000).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_go_writes_and_nothing_else() {
        let cases = [
            ("0", Some(0)),
            ("0s", Some(0)),
            ("1h", Some(3_600_000_000_000)),
            ("1h0m0s", Some(3_600_000_000_000)),
            ("90s", Some(90_000_000_000)),
            ("1.5h", Some(5_400_000_000_000)),
            (".5s", Some(500_000_000)),
            ("1.s", Some(1_000_000_000)),
            ("0.1ms", Some(100_000)),
            ("1h15m30.918273645s", Some(4_530_918_273_645)),
            ("3us2ns", Some(3_002)),
            ("1µs", Some(1_000)),
            ("", None),
            ("1", None),
            ("h", None),
            (".s", None),
            ("-1h", None),
            ("1d", None),
            ("1h ", None),
            ("9999999h", None),
            ("99999999999999999999s", None),
        ];
        for (text, nanoseconds) in cases {
            assert_eq!(parse_duration(text).ok(), nanoseconds.map(Duration::from_nanos), "{text}");
        }
    }
}
