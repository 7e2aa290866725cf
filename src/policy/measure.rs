//! Durations, sizes, times and names as a policy writes them.
//!
//! It knows no keys: what it refuses, the reader of the key explains.

use jiff::Timestamp;
use toml::value::Datetime;

/// Reads `0s`, `15m`, `24h`, `7d` as seconds.
pub(super) fn duration_s(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    number.checked_mul(seconds)
}

/// Reads `512 B`, `64 KiB`, `16 MiB`, `1 GiB` as bytes; the space may be left out.
pub(super) fn size_bytes(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text)?;
    let bytes = match unit.strip_prefix(' ').unwrap_or(unit) {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(bytes)
}

/// Reads `00:00` to `23:59` as minutes after midnight.
pub(super) fn minute_of_day(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let two_digits = |part: &str, below: u16| -> Option<u16> {
        let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| part.parse().ok()).flatten().filter(|number| *number < below)
    };
    Some(two_digits(hours, 24)? * 60 + two_digits(minutes, 60)?)
}

/// Reads a time with date and offset (RFC 3339), and gives back how it is written canonically.
pub(super) fn rfc3339(text: &str) -> Option<(String, Timestamp)> {
    let parts: Datetime = text.parse().ok()?;
    if parts.date.is_none() || parts.time.is_none() || parts.offset.is_none() {
        return None;
    }
    let written = parts.to_string();
    let instant = written.parse().ok()?;
    Some((written, instant))
}

/// Whether this may be the name of a source, a class, a purpose or a role.
pub(super) fn is_name(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.chars().all(|each| each.is_ascii_alphanumeric() || matches!(each, '_' | '-'))
}

/// Whether this may be the name of a domain. Freer than the others, because a column without a
/// domain is one that is named after it, and tables may be named anything.
pub(super) fn is_domain(text: &str) -> bool {
    text.len() <= 255
        && !text.is_empty()
        && text.trim() == text
        && text.chars().all(|each| !each.is_control())
}

/// Whether this is written as the name of a time zone. Whether it is one, the clock says.
pub(super) fn is_zone(text: &str) -> bool {
    let part = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_alphabetic())
            && part
                .chars()
                .all(|each| each.is_ascii_alphanumeric() || matches!(each, '_' | '-' | '+'))
    };
    text.len() <= 64 && text.split('/').all(part)
}

fn split_unit(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|each: char| !each.is_ascii_digit())?;
    Some((text[..end].parse().ok()?, &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_one_unit() {
        for (text, seconds) in [("0s", 0), ("15m", 900), ("24h", 86_400), ("7d", 604_800)] {
            assert_eq!(duration_s(text), Some(seconds), "{text}");
        }
        for text in ["", "7", "d", "1h30m", "-1s", "1 d", "1.5h", "99999999999999999999d"] {
            assert_eq!(duration_s(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, bytes) in [("0 B", 0), ("64KiB", 65_536), ("16 MiB", 16 << 20)] {
            assert_eq!(size_bytes(text), Some(bytes), "{text}");
        }
        for text in ["16", "16 MB", "16  MiB", "MiB", "18446744073709551615 GiB"] {
            assert_eq!(size_bytes(text), None, "{text}");
        }
    }

    #[test]
    fn times_of_day_have_four_digits() {
        assert_eq!(minute_of_day("05:30"), Some(330));
        for text in ["24:00", "5:30", "05:60", "+5:30", "05:30:00", "0530", ""] {
            assert_eq!(minute_of_day(text), None, "{text}");
        }
    }

    #[test]
    fn a_time_without_an_offset_is_no_instant() {
        assert_eq!(rfc3339("2026-01-31T00:00:00Z").unwrap().0, "2026-01-31T00:00:00Z");
        assert!(rfc3339("2026-01-31T00:00:00+01:00").is_some());
        for text in ["2026-01-31", "2026-01-31T00:00:00", "2026-02-31T00:00:00Z", "tomorrow"] {
            assert!(rfc3339(text).is_none(), "{text}");
        }
    }
}
