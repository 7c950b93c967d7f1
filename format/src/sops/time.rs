//! Timestamps as go-yaml reads them and as Go prints them: RFC 3339 with as many digits of a second as are needed.

use zeroize::Zeroizing;

/// A time that Go reads and does not print, a day or more away from UTC.
#[derive(Debug)]
pub(super) struct OutOfRange;

/// A timestamp of YAML in Go's form; `None` for a text that go-yaml takes for none.
pub(super) fn canonical(text: &str) -> Option<Result<Zeroizing<String>, OutOfRange>> {
    let mut rest = text;
    let year = take(&mut rest, 4..=4)?;
    rest = rest.strip_prefix('-')?;
    let month = take(&mut rest, 1..=2)?;
    rest = rest.strip_prefix('-')?;
    let day = take(&mut rest, 1..=2)?;
    if !(1..=12).contains(&month) || day == 0 || day > days(year, month) {
        return None;
    }
    let printed = |clock: &str, zone: &str| Zeroizing::new(format!("{year:04}-{month:02}-{day:02}T{clock}{zone}"));
    if rest.is_empty() {
        return Some(Ok(printed("00:00:00", "Z")));
    }
    let zoned = rest.starts_with(['T', 't']);
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, zone) = if zoned { split_zone(rest)? } else { (rest, Ok("Z".to_owned())) };
    let clock = clock_of(clock)?;
    Some(zone.map(|zone| printed(&clock, &zone)))
}

/// Digits at the beginning, as many as there are within the bounds.
fn take(rest: &mut &str, length: std::ops::RangeInclusive<usize>) -> Option<u32> {
    let digits = rest.bytes().take(*length.end()).take_while(u8::is_ascii_digit).count();
    let (number, after) = rest.split_at_checked(digits).filter(|_| length.contains(&digits))?;
    *rest = after;
    number.parse().ok()
}

fn days(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 31,
    }
}

/// `15:4:5`, each with one or two digits, and a fraction.
fn clock_of(text: &str) -> Option<Zeroizing<String>> {
    let mut rest = text;
    let hour = take(&mut rest, 1..=2)?;
    rest = rest.strip_prefix(':')?;
    let minute = take(&mut rest, 1..=2)?;
    rest = rest.strip_prefix(':')?;
    let second = take(&mut rest, 1..=2)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let fraction = match rest.strip_prefix(['.', ',']) {
        None if rest.is_empty() => String::new(),
        Some(digits) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            // Nanoseconds; zeros at the end are not printed.
            let digits = digits.get(..9).unwrap_or(digits).trim_end_matches('0');
            if digits.is_empty() { String::new() } else { format!(".{digits}") }
        }
        _ => return None,
    };
    Some(Zeroizing::new(format!("{hour:02}:{minute:02}:{second:02}{fraction}")))
}

/// The clock, and `Z` or `±hh:mm` as Go prints it: no offset is `Z`, and 60 minutes are an hour.
fn split_zone(text: &str) -> Option<(&str, Result<String, OutOfRange>)> {
    if let Some(clock) = text.strip_suffix('Z') {
        return Some((clock, Ok("Z".to_owned())));
    }
    let at = text.len().checked_sub(6)?;
    let (clock, zone) = text.split_at_checked(at)?;
    let mut rest = zone.strip_prefix(['+', '-'])?;
    let hours = take(&mut rest, 2..=2)?;
    rest = rest.strip_prefix(':')?;
    let minutes = take(&mut rest, 2..=2)?;
    // Go lets offsets of 24 hours and 60 minutes pass.
    if !rest.is_empty() || hours > 24 || minutes > 60 {
        return None;
    }
    let (hours, minutes) = (hours + minutes / 60, minutes % 60);
    let sign = zone.get(..1)?;
    let printed = match (hours, minutes) {
        (0, 0) => Ok("Z".to_owned()),
        (24.., _) => Err(OutOfRange),
        _ => Ok(format!("{sign}{hours:02}:{minutes:02}")),
    };
    Some((clock, printed))
}

/// A time as SOPS prints it beside the checksum: RFC 3339 without fractions of a second.
pub(super) fn to_seconds(text: &str) -> Option<String> {
    let canonical = canonical(text)?.ok()?;
    let Some((before, rest)) = canonical.split_once('.') else { return Some(canonical.to_string()) };
    let zone = rest.find(['Z', '+', '-'])?;
    Some(format!("{before}{}", &rest[zone..]))
}

/// Seconds since 1970 as SOPS prints a time: UTC, to the second.
pub(super) fn of_seconds(seconds: u64) -> String {
    let (mut days_left, second) = (seconds / 86_400, seconds % 86_400);
    // 400 years have a fixed number of days.
    let mut year = 1970 + u32::try_from(days_left / 146_097).unwrap_or(0) * 400;
    days_left %= 146_097;
    let mut month = 1;
    loop {
        let length = u64::from(days(year, month));
        if days_left < length {
            break;
        }
        days_left -= length;
        (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", days_left + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_dates() {
        let cases = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_798_761_599, "2026-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (12_622_780_800, "2370-01-01T00:00:00Z"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(of_seconds(seconds), expected);
        }
    }
}
