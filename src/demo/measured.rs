//! What the tour has measured: every figure and every value that its last screen shows.
//!
//! It knows no verb and no terminal. `--format json` prints it as it is.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

/// What the tour has measured.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// How many customers were invented.
    pub customers: u64,
    /// From which seed.
    pub seed: u64,
    /// Rows by table.
    pub rows: BTreeMap<&'static str, u64>,
    /// Size of the database before anything was done to it.
    pub database_bytes: u64,
    /// The run.
    pub run: String,
    /// Columns in scope.
    pub columns: u64,
    /// Cells whose tokens were opened and compared with their originals before the purge.
    pub cells: u64,
    /// One row, before and after.
    pub row: Vec<Field>,
    /// The tokens of that row, asked for under purposes.
    pub views: Vec<View>,
    /// What the searches for originals found.
    pub originals: Originals,
    /// Columns in which the scan found something sensitive, without a policy, and all columns.
    pub scanned: Scanned,
    /// The passes of the run and its purge, as the ledger has them.
    pub passes: Vec<Pass>,
    /// The ledger.
    pub ledger: Ledger,
    /// The steps of the tour.
    pub steps: Vec<Step>,
    /// Where everything is.
    pub folder: PathBuf,
    /// How much that is.
    pub folder_bytes: u64,
    /// What lies where in the folder.
    pub files: Vec<Kept>,
    /// A command for each who uses Sealift.
    pub next: Vec<Next>,
    /// The whole tour, making the data included.
    pub seconds: f64,
}

/// A cell of the row that is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Field {
    /// Which.
    pub name: &'static str,
    /// As it stood in the database. Invented.
    pub before: String,
    /// As it stands there now.
    pub after: String,
}

/// What somebody sees of the row, under a purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct View {
    /// Who.
    pub role: &'static str,
    /// Under which purpose.
    pub purpose: &'static str,
    /// One answer a field; `None` where it was refused.
    pub seen: Vec<Option<String>>,
}

/// What the searches for originals found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Originals {
    /// Found before anything was rewritten. The search stops once it has shown that it finds them.
    pub before_at_least: u64,
    /// Found after the purge, in the same files, read to the end.
    pub after: u64,
    /// How many values were searched for.
    pub values_searched: u64,
    /// The certificate's word.
    pub word: String,
    /// The certificate's sentence.
    pub statement: String,
}

/// What the scan found before anybody wrote a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Scanned {
    /// Columns that hold something sensitive.
    pub sensitive: u64,
    /// All columns of all tables.
    pub columns: u64,
}

/// A pass of the run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pass {
    /// Which.
    pub name: &'static str,
    /// How long it took.
    pub seconds: f64,
    /// How long the plan had said that it would take.
    pub estimated_seconds: f64,
}

/// What is known of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ledger {
    /// How many entries were checked.
    pub entries: u64,
    /// The fingerprint of the key that signed.
    pub fingerprint: String,
    /// Whether Python was there and the verifier without our code agreed.
    pub python_agrees: Option<bool>,
}

/// A step of the tour.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// Which.
    pub name: &'static str,
    /// What came of it.
    pub said: String,
    /// How long it took.
    pub seconds: f64,
}

/// Something in the folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// What it is.
    pub what: &'static str,
    /// Its name in the folder.
    pub name: &'static str,
}

/// A command to paste.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Next {
    /// Who.
    pub who: &'static str,
    /// Why.
    pub why: &'static str,
    /// Its words, quoted for a shell.
    pub words: Vec<String>,
}

impl Measured {
    /// All rows that were made.
    #[must_use]
    pub fn rows_all(&self) -> u64 {
        self.rows.values().sum()
    }
}
