//! From the text of a policy file to a [`Policy`], or to everything that is wrong with it.
//!
//! One file a kind of table. It knows no database: whether a column exists is `plan`'s part.

mod columns;
mod patterns;
mod purposes;
mod settings;

use sha2::{Digest, Sha256};
use toml::de::DeTable;

use super::{
    Policy,
    errors::{PolicyErrors, PolicyProblem},
    measure,
    reader::{Reader, Section},
};

/// The keys of the document itself.
const KEYS: [&str; 15] = [
    "source",
    "change",
    "column",
    "table",
    "purpose",
    "check",
    "pattern",
    "approval",
    "purge",
    "elsewhere",
    "backup",
    "limits",
    "throttle",
    "window",
    "on_failure",
];

/// What names are made of, as messages say it.
const NAME: &str = "a name of up to 64 letters, digits, `_` and `-`";

impl Policy {
    /// Reads a policy; `file` is what errors call it.
    ///
    /// # Errors
    ///
    /// Returns all that is wrong, each with line, column and what was expected. Where the text is
    /// no TOML, only that: what follows a slip of syntax cannot be judged.
    pub fn parse(text: &str, file: &str) -> Result<Self, PolicyErrors> {
        let mut reader = Reader::new(text, file);
        let (document, errors) = DeTable::parse_recoverable(text);
        if let Some(error) = errors.first() {
            let at = error.span().map_or(text.len(), |span| span.start);
            reader.note(at, "", PolicyProblem::Syntax(error.message().replace('\n', ", ")));
            return Err(reader.into_errors());
        }
        let root = reader.document(document.get_ref(), &KEYS);
        let source = source(&mut reader, root);
        let columns = columns::columns(&mut reader, root, &source);
        let tables = columns::tables(&mut reader, root);
        let purposes = purposes::purposes(&mut reader, root, &source, &columns);
        let policy = Self {
            change: settings::change(&mut reader, root),
            checks: settings::checks(&mut reader, root),
            patterns: patterns::patterns(&mut reader, root),
            approval: settings::approval(&mut reader, root),
            purge: settings::purge(&mut reader, root),
            elsewhere: settings::elsewhere(&mut reader, root),
            backup: settings::backup(&mut reader, root),
            limits: settings::limits(&mut reader, root),
            throttle: settings::throttle(&mut reader, root),
            window: settings::window(&mut reader, root),
            on_failure: settings::on_failure(&mut reader, root),
            hash: data_encoding::HEXLOWER.encode(&Sha256::digest(text)),
            source,
            columns,
            tables,
            purposes,
        };
        if reader.is_clean() { Ok(policy) } else { Err(reader.into_errors()) }
    }
}

/// `[source]`. Where it is broken the rest is read on with an empty name, which no policy keeps.
fn source<'t>(reader: &mut Reader<'t>, root: Section<'t>) -> String {
    let expected = "a table `[source]` with the `name` of the source";
    if root.find("source").is_none() {
        reader.missing(root, "source", expected);
    }
    let Some(section) = reader.table(root, "source", &["name"]) else { return String::new() };
    let name = reader
        .required(section, "name", NAME, |text| measure::is_name(text).then(|| text.to_owned()));
    name.map(|name| name.value).unwrap_or_default()
}
