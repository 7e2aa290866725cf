//! `[change]`, `[[check]]`, `[approval]`, `[purge]`, `[[elsewhere]]`, `[backup]`, `[limits]`, `[throttle]`, `[window]` and `on_failure`.

use std::collections::HashMap;

use super::{
    super::{
        Approval, BackupRule, ChangeRule, Check, CopyKind, CopyRule, Expect, Limits, OnFailure,
        PurgeRule, Throttle, Window,
        elsewhere::{day, line},
        measure,
        reader::{At, Reader, Section},
    },
    columns,
};

/// One more than the largest number that TOML's integers reach.
const NUMBERS_END: u64 = 1 << 63;

/// What `expect` takes for "the same as before the run".
const UNCHANGED: &str = "unchanged";

const ON_FAILURE: [(&str, OnFailure); 2] =
    [("hold", OnFailure::Hold), ("rollback", OnFailure::Rollback)];

/// The longest that a line of `[change]` may be: it is a heading, not a page.
const CHANGE_CHARS_MAX: usize = 400;

pub(super) fn change<'t>(reader: &mut Reader<'t>, root: Section<'t>) -> ChangeRule {
    let keys = ["purpose", "ticket", "owner"];
    let Some(section) = reader.table(root, "change", &keys) else { return ChangeRule::default() };
    let mut line = |name: &str| {
        let expected = "one line of up to 400 characters";
        reader.parsed(section, name, expected, one_line).map(|line| line.value.to_owned())
    };
    ChangeRule { purpose: line("purpose"), ticket: line("ticket"), owner: line("owner") }
}

/// A line that stands for itself wherever it is shown.
fn one_line(text: &str) -> Option<&str> {
    let fits = text.chars().count() <= CHANGE_CHARS_MAX && !text.chars().any(char::is_control);
    filled(text).filter(|_| fits)
}

pub(super) fn checks<'t>(reader: &mut Reader<'t>, root: Section<'t>) -> Vec<Check> {
    let mut seen = HashMap::new();
    let mut checks = Vec::new();
    for section in reader.tables(root, "check", &["name", "sql", "expect"]) {
        let name = reader.required(section, "name", "what it checks, in words", filled);
        let sql = reader.required(section, "sql", "one statement that returns one value", filled);
        let expect = expect(reader, section);
        let (Some(name), Some(sql), Some(expect)) = (name, sql, expect) else { continue };
        if let Some(first) = seen.insert(name.value, name.at) {
            columns::duplicate(reader, name.at, "check.name", name.value, first);
            continue;
        }
        let (name, sql) = (name.value.to_owned(), sql.value.to_owned());
        checks.push(Check { name, sql, expect });
    }
    checks
}

fn expect<'t>(reader: &mut Reader<'t>, section: Section<'t>) -> Option<Expect> {
    let expected = "`unchanged`, a text or a whole number";
    let Some(found) = section.find("expect") else {
        reader.missing(section, "expect", expected);
        return None;
    };
    if let Some(number) = found.get_ref().as_integer() {
        // A number in base ten is compared as the engine writes it.
        let number = i64::from_str_radix(number.as_str(), number.radix()).ok();
        if number.is_none() {
            reader.wrong_type(found, &section.path_of("expect"), expected);
        }
        return number.map(|number| Expect::Value(number.to_string()));
    }
    let text = reader.text(section, "expect", expected)?.value;
    Some(if text == UNCHANGED { Expect::Unchanged } else { Expect::Value(text.to_owned()) })
}

pub(super) fn approval<'t>(reader: &mut Reader<'t>, root: Section<'t>) -> Approval {
    let mut approval = Approval::default();
    let keys = ["plan", "purge", "purge_wait", "legal_hold"];
    let Some(section) = reader.table(root, "approval", &keys) else { return approval };
    let wait = "a duration as `0s`, `15m`, `24h` or `7d`";
    set(&mut approval.plan, reader.number(section, "plan", 0..101));
    set(&mut approval.purge, reader.number(section, "purge", 0..101));
    set(
        &mut approval.purge_wait_s,
        reader.parsed(section, "purge_wait", wait, measure::duration_s),
    );
    set(&mut approval.legal_hold, reader.truth(section, "legal_hold"));
    approval
}

pub(super) fn purge<'t>(reader: &mut Reader<'t>, root: Section<'t>) -> PurgeRule {
    let mut purge = PurgeRule::default();
    let Some(section) = reader.table(root, "purge", &["scan"]) else { return purge };
    let paths = "paths of files and folders";
    set(&mut purge.scan, reader.texts(section, "scan", paths, |path| filled(path).is_some()));
    purge
}

pub(super) fn elsewhere<'t>(reader: &mut Reader<'t>, root: Section<'t>) -> Vec<CopyRule> {
    let kinds = CopyKind::ALL.map(|kind| (kind.name(), kind));
    let mut seen = HashMap::new();
    let mut copies = Vec::new();
    for section in reader.tables(root, "elsewhere", &["kind", "name", "owner", "expires"]) {
        let of_word = |text: &str| line(text).map(str::to_owned);
        if section.find("kind").is_none() {
            reader.missing(section, "kind", "what the copy is, as `replica` or `backup`");
        }
        let kind = reader.word(section, "kind", &kinds);
        let name = reader.required(section, "name", "what the copy is called", of_word);
        let owner = reader.required(section, "owner", "who keeps the copy", of_word);
        let expires = expires(reader, section);
        let (Some(kind), Some(name), Some(owner), Some(expires)) = (kind, name, owner, expires)
        else {
            continue;
        };
        if let Some(first) = seen.insert((kind.value, name.value.clone()), name.at) {
            columns::duplicate(reader, name.at, "elsewhere.name", &name.value, first);
            continue;
        }
        copies.push(CopyRule { kind: kind.value, name: name.value, owner: owner.value, expires });
    }
    copies
}

/// A day as TOML writes it, or the same as text.
fn expires<'t>(reader: &mut Reader<'t>, section: Section<'t>) -> Option<String> {
    let expected = "the day by which the copy holds no original any more, as `2027-01-31`";
    let Some(found) = section.find("expires") else {
        reader.missing(section, "expires", expected);
        return None;
    };
    let Some(written) = found.get_ref().as_datetime() else {
        return reader.parsed(section, "expires", expected, day).map(|day| day.value);
    };
    let expires = day(&written.to_string());
    if expires.is_none() {
        let path = section.path_of("expires");
        reader.invalid(found.span().start, &path, &written.to_string(), expected);
    }
    expires
}

pub(super) fn backup<'t>(reader: &mut Reader<'t>, root: Section<'t>) -> BackupRule {
    let mut backup = BackupRule::default();
    let keys = ["dir", "retention_days", "recipients"];
    let Some(section) = reader.table(root, "backup", &keys) else { return backup };
    let dir = reader.parsed(section, "dir", "the path of a folder", filled);
    set(&mut backup.dir, dir.map(|dir| At { value: dir.value.to_owned(), at: dir.at }));
    set(&mut backup.retention_days, reader.number(section, "retention_days", 0..36_501));
    let keys = "`age` public keys, each beginning `age1`";
    let recipients = reader.texts(section, "recipients", keys, |key| key.starts_with("age1"));
    set(&mut backup.recipients, recipients);
    backup
}

pub(super) fn limits<'t>(reader: &mut Reader<'t>, root: Section<'t>) -> Limits {
    let mut limits = Limits::default();
    let keys = ["quarantine_max", "value_bytes_max"];
    let Some(section) = reader.table(root, "limits", &keys) else { return limits };
    set(&mut limits.quarantine_max, reader.number(section, "quarantine_max", 0..NUMBERS_END));
    set(&mut limits.value_bytes_max, reader.size(section, "value_bytes_max"));
    limits
}

pub(super) fn throttle<'t>(reader: &mut Reader<'t>, root: Section<'t>) -> Throttle {
    let keys = [
        "rows_per_s_max",
        "replica_lag_ms_max",
        "wal_bytes_max",
        "commit_ms_max",
        "lock_wait_ms_max",
    ];
    let mut throttle = Throttle::default();
    let Some(section) = reader.table(root, "throttle", &keys) else { return throttle };
    for (name, place) in [
        ("rows_per_s_max", &mut throttle.rows_per_s_max),
        ("replica_lag_ms_max", &mut throttle.replica_lag_ms_max),
        ("commit_ms_max", &mut throttle.commit_ms_max),
        ("lock_wait_ms_max", &mut throttle.lock_wait_ms_max),
    ] {
        if section.find(name).is_some() {
            *place = reader.limit(section, name, 1..NUMBERS_END);
        }
    }
    if section.find("wal_bytes_max").is_some() {
        throttle.wal_bytes_max = reader.size_limit(section, "wal_bytes_max");
    }
    throttle
}

pub(super) fn window<'t>(reader: &mut Reader<'t>, root: Section<'t>) -> Option<Window> {
    let section = reader.table(root, "window", &["from", "until", "zone"])?;
    let time = "a time of day as `22:00`";
    let zone_text = "an IANA time zone as `Europe/Berlin`, or `UTC`";
    let from = reader.required(section, "from", time, measure::minute_of_day);
    let until = reader.required(section, "until", time, measure::minute_of_day);
    let zone = reader
        .parsed(section, "zone", zone_text, |text| measure::is_zone(text).then(|| text.to_owned()));
    let (from, until) = (from?, until?);
    if from.value == until.value {
        reader.conflict(until.at, "window.until", "is the same as `from`, so no run could work");
    }
    Some(Window {
        from_min: from.value,
        until_min: until.value,
        zone: zone.map_or_else(|| "UTC".to_owned(), |zone| zone.value),
    })
}

pub(super) fn on_failure<'t>(reader: &mut Reader<'t>, root: Section<'t>) -> OnFailure {
    reader.word(root, "on_failure", &ON_FAILURE).map_or_else(OnFailure::default, |word| word.value)
}

fn filled(text: &str) -> Option<&str> {
    (!text.trim().is_empty()).then_some(text)
}

/// Takes over what was read, where something was.
fn set<T>(place: &mut T, found: Option<At<T>>) {
    if let Some(found) = found {
        *place = found.value;
    }
}
