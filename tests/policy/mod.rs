//! Policies: what is shown works, and what is broken says where.

use std::{fs, path::Path};

use sealift::policy::{
    Expect, Form, FormatShape, Normalise, OnFailure, Permission, Policy, PolicyProblem, TokenKind,
};

/// The smallest policy with a column, a table and a purpose; all else is left out.
const BARE: &str = r#"
[source]
name = "reference"

[[column]]
name = "people.email"
class = "contact"

[[column]]
name = "people.card"
class = "payment"
token = "format"
format = "card"

[[table]]
name = "people"

[[purpose]]
name = "support_case"
roles = ["support"]
show = { contact = "plain", payment = "last4" }

[[check]]
name = "nobody is lost"
sql = "select count(*) from people"
expect = "unchanged"
"#;

fn parsed(text: &str) -> Policy {
    Policy::parse(text, "test.toml").unwrap_or_else(|errors| panic!("{errors}"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn toml_files(folder: &str) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    files
}

#[test]
fn every_shown_policy_loads() {
    let files = toml_files("policies");
    assert!(files.len() >= 4);
    for file in files {
        Policy::parse(&read(&file), &file.display().to_string())
            .unwrap_or_else(|errors| panic!("{errors}"));
    }
}

/// One message a line in the sibling `.txt`. To write them anew after a change of words:
/// `SEALIFT_BLESS=1 cargo test --test it policy::`, then read the difference.
#[test]
fn every_broken_policy_names_line_and_column() {
    let files = toml_files("tests/policy/broken");
    assert!(files.len() >= 30);
    let mut differing = Vec::new();
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap();
        let found = match Policy::parse(&read(&file), name) {
            Ok(_) => format!("{name} is accepted\n"),
            Err(errors) => format!("{errors}\n"),
        };
        let golden = file.with_extension("txt");
        if std::env::var_os("SEALIFT_BLESS").is_some() {
            fs::write(&golden, &found).unwrap();
        }
        if fs::read_to_string(&golden).unwrap_or_default() != found {
            differing.push(found);
        }
    }
    assert!(differing.is_empty(), "{}", differing.concat());
}

#[test]
fn the_defaults_of_the_reference_are_those_of_a_key_left_out() {
    let mut reference = parsed(&read(&root().join("policies/reference.toml")));
    let mut bare = parsed(BARE);
    assert_ne!(reference.hash, bare.hash);
    reference.hash.clear();
    bare.hash.clear();
    assert_eq!(reference, bare);
}

#[test]
fn the_defaults_are_those_of_the_design() {
    let policy = parsed(BARE);
    assert_eq!(policy.columns[0].token, TokenKind::Keyed);
    assert_eq!(policy.columns[0].normalise, Normalise::None);
    assert_eq!(policy.columns[1].format, Some(FormatShape::Card));
    assert_eq!(policy.purposes[0].may, [Permission::Detokenize]);
    assert_eq!(policy.purposes[0].max_tokens_per_request, 100);
    assert_eq!((policy.approval.plan, policy.approval.purge), (1, 1));
    assert_eq!((policy.approval.purge_wait_s, policy.approval.legal_hold), (0, false));
    assert_eq!(policy.backup.dir, "sealift-backup");
    assert_eq!(policy.limits.value_bytes_max, 16 * 1024 * 1024);
    assert_eq!(policy.on_failure, OnFailure::Hold);
    assert_eq!(policy.window, None);
}

#[test]
fn every_key_of_the_reference_that_has_no_default_can_be_used() {
    let text = read(&root().join("policies/reference.toml"));
    let used: Vec<&str> = text
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(key) if key.starts_with(|first: char| !first.is_whitespace()) => key,
            _ => line,
        })
        .collect();
    let policy = parsed(&used.join("\n"));

    assert_eq!(policy.columns[0].domain.as_deref(), Some("email"));
    assert_eq!(policy.columns[0].template.as_deref(), Some("{token}@tokens.invalid"));
    assert_eq!(policy.purposes[0].valid_from.as_deref(), Some("2026-01-01T00:00:00Z"));
    assert_eq!(policy.patterns[0].regex, "^B-[0-9]{6}$");
    assert_eq!(policy.patterns[0].column.as_deref(), Some("(?i)badge"));
    assert_eq!(policy.change.ticket.as_deref(), Some("CHG-4711"));
    let window = policy.window.unwrap();
    assert_eq!((window.from_min, window.until_min, window.zone.as_str()), (1320, 330, "UTC"));
}

#[test]
fn the_reference_knows_every_key() {
    // An unknown key is answered with all that are known there; each has to be in the reference.
    let text = read(&root().join("policies/reference.toml"));
    let places = ["", "source", "change", "approval", "backup", "limits", "throttle", "window"];
    let lists = ["column", "table", "purpose", "check", "pattern"];
    let mut known = 0;
    for probe in places
        .iter()
        .map(|place| if place.is_empty() { String::new() } else { format!("[{place}]\n") })
        .chain(lists.iter().map(|list| format!("[[{list}]]\n")))
    {
        let errors = Policy::parse(&format!("{probe}zzz = 1\n"), "probe.toml").unwrap_err();
        let expected = errors.errors().iter().find_map(|error| match &error.problem {
            PolicyProblem::UnknownKey { expected, .. } => Some(expected.clone()),
            _ => None,
        });
        for key in expected.unwrap() {
            let stands = |line: &str| {
                let line = line.trim_start_matches('#').trim_start_matches('[');
                line.strip_prefix(key.as_str()).is_some_and(|rest| rest.starts_with([' ', ']']))
            };
            assert!(text.lines().any(stands), "`{key}` is not in the reference");
            known += 1;
        }
    }
    assert!(known > 40, "{known}");
}

#[test]
fn a_policy_is_named_by_the_hash_of_its_bytes() {
    let hash = |text: &str| parsed(text).hash;
    assert_eq!(hash(BARE).len(), 64);
    assert_eq!(hash(BARE), hash(BARE));
    assert_ne!(hash(BARE), hash(&format!("{BARE}# a remark\n")));
}

#[test]
fn values_arrive_as_they_are_written() {
    let policy = parsed(
        r#"
on_failure = "rollback"
source.name = "crm-2"

[[column]]
name = 'main."a.b".c'
class = "health"
token = "random"
dedupe = true
normalise = "casefold"
lossy_ok = true
empty = "keep"
waive = ["low_entropy"]

[[purpose]]
name = "research"
roles = ["steward", "lab"]
may = ["search", "tokenize", "search"]
show = { "crm-2.main.\"a.b\".c" = "match" }
max_tokens_per_day = 7
valid_until = "2027-01-01T00:00:00+01:00"

[[check]]
name = "count"
sql = "select 42"
expect = 42

[approval]
plan = 0
purge_wait = "7d"

[limits]
value_bytes_max = 1_024

[throttle]
wal_bytes_max = "1 GiB"
"#,
    );
    assert_eq!(policy.on_failure, OnFailure::Rollback);
    assert_eq!(policy.columns[0].name.to_string(), "main.\"a.b\".c");
    assert_eq!(policy.domain_of(&policy.columns[0]), "crm-2.main.\"a.b\".c");
    assert_eq!(policy.purposes[0].may, [Permission::Search, Permission::Tokenize]);
    assert_eq!(policy.purposes[0].show.values().copied().collect::<Vec<_>>(), [Form::Match]);
    assert_eq!(policy.purposes[0].max_tokens_per_day, Some(7));
    assert_eq!(policy.purposes[0].valid_until.as_deref(), Some("2027-01-01T00:00:00+01:00"));
    assert_eq!(policy.checks[0].expect, Expect::Value("42".to_owned()));
    assert_eq!((policy.approval.plan, policy.approval.purge_wait_s), (0, 604_800));
    assert_eq!(policy.limits.value_bytes_max, 1_024);
    assert_eq!(policy.throttle.wal_bytes_max, Some(1 << 30));
}
