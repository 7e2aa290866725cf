//! The rule that gives the rooms their order, read off the sources: edge → middle → core.
//!
//! Only what stands in the text is looked at, comments and tests left out. That is enough: a room
//! that wants the world has to name it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use sealift::lifecycle::Phase;

/// No I/O, no async, no clock, no randomness of its own.
const CORE: [&str; 14] = [
    "access",
    "alert",
    "catalog",
    "classify",
    "crypto",
    "ledger",
    "lifecycle",
    "plan",
    "policy",
    "report",
    "residue",
    "token",
    "value",
    "words",
];

/// The work, against traits.
const MIDDLE: [&str; 4] = ["ports", "run", "serve", "upkeep"];

/// Everything that touches the world.
const EDGE: [&str; 9] =
    ["api", "backup", "cli", "client", "demo", "engine", "keystore", "notify", "synth"];

/// What the core may not name, and why each would be a trespass.
const WORLD: [&str; 30] = [
    // files, sockets, the process
    "std::fs",
    "std::net",
    "std::process",
    "std::env",
    "std::thread",
    "File::open",
    "File::create",
    "rustix::",
    "rlimit::",
    "fs4::",
    // the terminal
    "println!",
    "eprintln!",
    "print!(",
    // async
    "tokio",
    "futures",
    "async fn",
    "async move",
    ".await",
    // databases and backup files
    "sqlx",
    "age::",
    // clocks
    "Timestamp::now",
    "SystemTime",
    "Instant::now",
    "Zoned::now",
    // randomness
    "rand::rng",
    "thread_rng",
    "OsRng",
    "SysRng",
    "getrandom",
    "RandomState",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(dir: &Path, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, end));
        } else if path.extension().is_some_and(|found| found == end) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn sources(room: &str) -> Vec<PathBuf> {
    let dir = root().join("src").join(room);
    let found = files(&dir, "rs");
    assert!(!found.is_empty(), "room `{room}` has no source");
    found
}

/// The lines of a source with their numbers: without comments, and up to its tests, which stand
/// last in every file.
fn code(file: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(file).unwrap();
    text.lines()
        .take_while(|line| line.trim() != "#[cfg(test)]")
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(at, line)| (at + 1, line.to_owned()))
        .collect()
}

/// Lines of these rooms that hold one of the words.
fn trespasses(rooms: &[&str], words: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for file in rooms.iter().flat_map(|room| sources(room)) {
        for (number, line) in code(&file) {
            if let Some(word) = words.iter().find(|word| names(&line, word)) {
                let file = file.strip_prefix(root()).unwrap().display();
                found.push(format!("{file}:{number}: `{word}` in `{}`", line.trim()));
            }
        }
    }
    found
}

/// Whether a line names something: the word does not begin in the middle of another.
fn names(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
            || !word.starts_with(char::is_alphanumeric)
    })
}

fn rooms(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| format!("crate::{name}")).collect()
}

#[test]
fn the_core_touches_nothing_outside() {
    let found = trespasses(&CORE, &WORLD.map(str::to_owned));
    assert!(found.is_empty(), "the core reaches for the world:\n{}", found.join("\n"));
}

#[test]
fn the_core_knows_no_other_layer() {
    let words = [rooms(&MIDDLE), rooms(&EDGE)].concat();
    let found = trespasses(&CORE, &words);
    assert!(found.is_empty(), "the core reaches outwards:\n{}", found.join("\n"));
}

#[test]
fn the_middle_knows_no_edge() {
    let mut words = rooms(&EDGE);
    words.push("sqlx".to_owned());
    words.push("age::".to_owned());
    let found = trespasses(&MIDDLE, &words);
    assert!(found.is_empty(), "the middle reaches outwards:\n{}", found.join("\n"));
}

#[test]
fn every_room_belongs_to_a_layer() {
    let known: BTreeSet<String> =
        [&CORE[..], &MIDDLE[..], &EDGE[..]].concat().into_iter().map(str::to_owned).collect();
    assert_eq!(rooms_of_the_tree(), known);
}

/// Folders of `src/`; a room of one file counts as well.
fn rooms_of_the_tree() -> BTreeSet<String> {
    fs::read_dir(root().join("src"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect()
}

/// The rooms of the code map: lines that begin with a name and a slash, within its fence.
fn rooms_of_the_map(page: &str) -> BTreeSet<String> {
    let map = page.split("## Code map").nth(1).unwrap().split("```").nth(1).unwrap();
    map.lines()
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split_whitespace().next())
        .filter_map(|word| word.strip_suffix('/'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_code_map_names_every_room_and_no_other() {
    let page = fs::read_to_string(root().join("src/ARCHITECTURE.md")).unwrap();
    assert_eq!(rooms_of_the_map(&page), rooms_of_the_tree());
}

/// Files that the walkthrough and the tables of these pages send a reader to.
#[test]
fn every_source_that_a_page_names_is_there() {
    let pages = ["README.md", "src/ARCHITECTURE.md", "docs/PROTOCOL.md", "docs/FORMATS.md"];
    let mut missing = Vec::new();
    for page in pages {
        let text = fs::read_to_string(root().join(page)).unwrap();
        for word in text.split('`').skip(1).step_by(2) {
            let is_path = ["src/", "docs/", "tests/", "policies/", "vault-schema/", "benches/"]
                .iter()
                .any(|folder| word.starts_with(folder));
            let is_plain = !word.contains(['*', ' ', '<', '…']);
            if is_path && is_plain && !root().join(word).exists() {
                missing.push(format!("{page}: `{word}`"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn the_schema_knows_the_same_phases() {
    for file in files(&root().join("vault-schema/sqlite"), "sql") {
        let text = fs::read_to_string(&file).unwrap();
        let Some(check) = text.split("CHECK (phase IN (").nth(1) else { continue };
        let list = check.split("))").next().unwrap();
        let found: Vec<&str> = list.split('\'').skip(1).step_by(2).collect();
        let known: Vec<&str> = Phase::ALL.iter().map(|phase| phase.name()).collect();
        assert_eq!(found, known, "{}", file.display());
        return;
    }
    panic!("no file of the schema lists the phases");
}

/// Every table of the schema has its line in the page that explains them, and no other.
#[test]
fn the_page_on_the_schema_explains_every_table() {
    let schema: BTreeSet<String> = files(&root().join("vault-schema/sqlite"), "sql")
        .iter()
        .flat_map(|file| {
            let text = fs::read_to_string(file).unwrap();
            text.lines()
                .filter_map(|line| line.strip_prefix("CREATE TABLE "))
                .filter_map(|rest| rest.split_whitespace().next())
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect();
    let page = fs::read_to_string(root().join("vault-schema/README.md")).unwrap();
    let explained: BTreeSet<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `sealift_"))
        .filter_map(|rest| rest.split('`').next())
        .map(|name| format!("sealift_{name}"))
        .collect();
    assert_eq!(explained, schema);
}

/// What is written for a test's database must not decide anything in the program: the tables that
/// only fixtures have are not named in it.
#[test]
fn no_source_knows_the_fixtures() {
    let mut tables = BTreeSet::new();
    for file in files(&root().join("tests"), "sql") {
        let text = fs::read_to_string(file).unwrap();
        for line in text.lines().filter(|line| line.starts_with("CREATE TABLE ")) {
            let name = line["CREATE TABLE ".len()..].split([' ', '(']).next().unwrap();
            tables.insert(name.trim_matches('"').to_owned());
        }
    }
    // The tour and the synthetic databases have tables of their own under these plain names, and
    // some fixtures are called after words of SQL, or after things that the program has too.
    let own = ["customers", "orders", "cards", "notes", "check", "order", "rowid", "town"];
    for own in own.into_iter().chain(["entry", "owner", "person"]) {
        tables.remove(own);
    }
    tables.retain(|table| !table.starts_with("sealift_"));
    assert!(!tables.is_empty());
    let mut found = Vec::new();
    for file in files(&root().join("src"), "rs") {
        for (number, line) in code(&file) {
            for text in line.split('"').skip(1).step_by(2) {
                if tables.contains(text) {
                    found.push(format!("{}:{number}: \"{text}\"", file.display()));
                }
            }
        }
    }
    assert!(found.is_empty(), "fixtures in the program:\n{}", found.join("\n"));
}
