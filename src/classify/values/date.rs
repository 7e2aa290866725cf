//! Dates as databases hold them: ISO, with dots, with slashes, eight digits, with a month's name.

use super::Look;

/// A day that a value names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::classify) struct Day {
    /// The year.
    pub(in crate::classify) year: u16,
    /// Whether a time other than midnight stands beside it: nobody is born at a second.
    pub(in crate::classify) has_time: bool,
    /// Whether it is eight digits and no more.
    is_bare: bool,
}

impl Day {
    /// Whether it is written as a date, and not as a number that may be another.
    pub(super) fn is_written(self) -> bool {
        !self.is_bare
    }
}

/// Reads a day.
pub(super) fn day_of(look: &Look<'_>) -> Option<Day> {
    let text = look.text;
    if !(6..=40).contains(&text.len()) || look.digits < 3 {
        return None;
    }
    if look.is_number() {
        return (text.len() == 8).then(|| eight(text)).flatten();
    }
    let (date, time) = split_time(text);
    if date.bytes().any(|byte| byte.is_ascii_alphabetic()) {
        return with_month_name(date).map(|year| Day {
            year,
            has_time: has_time(time),
            is_bare: false,
        });
    }
    let mut parts = [0_u16; 3];
    let mut lengths = [0_usize; 3];
    let mut count = 0;
    let separator = date.bytes().find(|byte| b"-./".contains(byte))?;
    for part in date.split(char::from(separator)) {
        if count == 3 || !matches!(part.trim().len(), 1..=4) {
            return None;
        }
        parts[count] = part.trim().parse().ok()?;
        lengths[count] = part.trim().len();
        count += 1;
    }
    if count < 3 {
        return None;
    }
    let is_day_and_month =
        |a: u16, b: u16| (1..=31).contains(&a) && (1..=31).contains(&b) && (a <= 12 || b <= 12);
    let year = if lengths[0] == 4 && (1..=12).contains(&parts[1]) && (1..=31).contains(&parts[2]) {
        parts[0]
    } else if lengths[2] == 4 && is_day_and_month(parts[0], parts[1]) {
        parts[2]
    } else if separator != b'-'
        && lengths[2] == 2
        && lengths[0] <= 2
        && is_day_and_month(parts[0], parts[1])
    {
        // Two digits of a year: nobody who is counted was born in the future.
        if parts[2] > 30 { 1900 + parts[2] } else { 2000 + parts[2] }
    } else {
        return None;
    };
    is_year(year).then(|| Day { year, has_time: has_time(time), is_bare: false })
}

fn is_year(year: u16) -> bool {
    (1850..=2150).contains(&year)
}

/// `19800229`
fn eight(text: &str) -> Option<Day> {
    let number: u32 = text.parse().ok()?;
    let year = u16::try_from(number / 10_000).ok()?;
    let (month, day) = (number / 100 % 100, number % 100);
    let is_day =
        (1900..=2100).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    is_day.then_some(Day { year, has_time: false, is_bare: true })
}

/// The date before `T` or a space, and the rest, where that begins as a time does.
fn split_time(text: &str) -> (&str, &str) {
    let is_time = |rest: &str| {
        let head = rest.as_bytes();
        head.len() >= 4 && head[0].is_ascii_digit() && head[1..3].contains(&b':')
    };
    for (at, byte) in text.bytes().enumerate() {
        if (byte == b'T' || byte == b' ') && text.get(at + 1..).is_some_and(is_time) {
            return (&text[..at], &text[at + 1..]);
        }
    }
    (text, "")
}

fn has_time(time: &str) -> bool {
    let time = time.split(['+', 'Z', '-']).next().unwrap_or_default();
    time.bytes().any(|byte| matches!(byte, b'1'..=b'9'))
}

/// `2 Jan 1980`, `January 2, 1980`, `02-JAN-80`: the year.
fn with_month_name(date: &str) -> Option<u16> {
    const MONTHS: [&str; 26] = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", "okt",
        "dez", "mai", "ene", "abr", "ago", "dic", "gen", "mag", "giu", "lug", "set", "ott", "out",
    ];
    let mut year = None;
    let mut has_month = false;
    let mut has_day = false;
    for part in date.split([' ', '-', ',', '.', '/']).filter(|part| !part.is_empty()) {
        let bytes = part.as_bytes();
        if bytes[0].is_ascii_digit() {
            let digits = part.trim_end_matches(|c: char| c.is_ascii_alphabetic());
            let number: u16 = digits.parse().ok()?;
            match digits.len() {
                4 if year.is_none() => year = Some(number),
                1 | 2 if !has_day && (1..=31).contains(&number) => has_day = true,
                2 if year.is_none() => {
                    year = Some(if number > 30 { 1900 + number } else { 2000 + number });
                }
                _ => return None,
            }
        } else if bytes.len() >= 3 && part.is_ascii() {
            let head = [bytes[0], bytes[1], bytes[2]].map(|byte| byte.to_ascii_lowercase());
            let is_month = MONTHS.iter().any(|month| month.as_bytes() == head);
            let is_weekday =
                [b"mon", b"tue", b"wed", b"thu", b"fri", b"sat", b"sun"].contains(&&head);
            if !is_month && !is_weekday || bytes.len() > 9 {
                return None;
            }
            has_month |= is_month;
        } else {
            return None;
        }
    }
    year.filter(|year| has_month && has_day && is_year(*year))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Option<(u16, bool)> {
        day_of(&Look::at(text)).map(|day| (day.year, day.has_time))
    }

    #[test]
    fn every_usual_way_to_write_a_day_is_read() {
        for text in [
            "1980-02-29",
            "29.02.1980",
            "2/29/1980",
            "29/02/1980",
            "19800229",
            "1980/02/29",
            "29 Feb 1980",
            "February 29, 1980",
            "29-FEB-80",
            "1980-02-29 00:00:00",
            "1980-02-29T00:00:00Z",
            "29.02.80",
        ] {
            assert_eq!(day(text), Some((1980, false)), "{text}");
        }
        assert_eq!(day("2021-03-04T10:20:30+01:00"), Some((2021, true)));
    }

    #[test]
    fn other_numbers_are_no_days() {
        for text in [
            "555-010-4567",
            "123-45-6789",
            "99999999",
            "1.2.3",
            "12:30:00",
            "192.0.2.17",
            "2021-13-01",
            "12 Main Street",
            "4711",
        ] {
            assert_eq!(day(text), None, "{text}");
        }
    }
}
