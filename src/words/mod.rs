//! Numbers, times and commands as people read and paste them, the same everywhere.
//!
//! It knows no report and no verb. Nothing here depends on a language or a time zone of the machine.

mod shell;

pub use shell::shell_word;

use jiff::Timestamp;

/// Milliseconds of a second, a minute, an hour, a day.
const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Writes a count with commas between the thousands.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Writes a count with the word for what was counted: `1 column`, `5 columns`.
#[must_use]
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// Writes how long something took, to two units at the most: `4.4 s`, `12 min 30 s`, `1 d 3 h`.
#[must_use]
pub fn duration(millis: u64) -> String {
    let two = |large: u64, unit: &str, small: u64, below: &str| {
        let (whole, rest) = (millis / large, millis % large / small);
        if rest == 0 { format!("{whole} {unit}") } else { format!("{whole} {unit} {rest} {below}") }
    };
    match millis {
        0 => "under 1 ms".to_owned(),
        1..SECOND => format!("{millis} ms"),
        SECOND..MINUTE => format!("{}.{} s", millis / SECOND, millis % SECOND / 100),
        MINUTE..HOUR => two(MINUTE, "min", SECOND, "s"),
        HOUR..DAY => two(HOUR, "h", MINUTE, "min"),
        DAY.. => two(DAY, "d", HOUR, "h"),
    }
}

/// How many milliseconds lie between two times; none where one cannot be read or lies behind.
#[must_use]
pub fn between(from: &str, until: &str) -> Option<u64> {
    let (from, until): (Timestamp, Timestamp) = (from.parse().ok()?, until.parse().ok()?);
    u64::try_from(until.as_millisecond() - from.as_millisecond()).ok()
}

/// Whether a text says something: a reason of blanks or of control characters is none.
#[must_use]
pub fn says_something(text: &str) -> bool {
    text.chars().any(|each| !each.is_whitespace() && !each.is_control() && each != '\u{feff}')
}

/// Writes a sentence with a capital letter: statements of a report are parts of sentences.
#[must_use]
pub fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

/// A name as a remedy writes it in SQL: in quotes where SQL would take it for another.
#[must_use]
pub fn sql_name(name: &str) -> String {
    let is_plain = name.starts_with(|letter: char| letter.is_ascii_lowercase() || letter == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if is_plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_quoted_where_sql_would_take_it_for_another() {
        assert_eq!(
            ["crm", "CRM", "a\"b", ""].map(sql_name),
            ["crm", "\"CRM\"", "\"a\"\"b\"", "\"\""]
        );
    }

    #[test]
    fn thousands_are_parted() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn one_is_not_many() {
        assert_eq!(counted(1, "column", "columns"), "1 column");
        assert_eq!(counted(0, "column", "columns"), "0 columns");
    }

    #[test]
    fn a_duration_has_two_units_at_the_most() {
        let told = [0, 7, 4_410, 59_999, 60_000, 750_000, 3_600_000, 97_200_000].map(duration);
        assert_eq!(
            told,
            ["under 1 ms", "7 ms", "4.4 s", "59.9 s", "1 min", "12 min 30 s", "1 h", "1 d 3 h"]
        );
    }
}
