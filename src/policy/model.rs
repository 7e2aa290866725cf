//! What a policy says, once it is known to be valid.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::elsewhere::CopyRule;
use super::{ColumnName, TableName};

/// A whole policy file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// `[source] name`: what the source is called in domains, ledger and report.
    pub source: String,
    /// `[change]`: why this is done, and on whose behalf.
    #[serde(default)]
    pub change: ChangeRule,
    /// The columns in scope, in the order of the file.
    pub columns: Vec<ColumnRule>,
    /// What is said about tables as a whole.
    pub tables: Vec<TableRule>,
    /// Who may see what, and for what.
    pub purposes: Vec<Purpose>,
    /// Queries of the steward's own, run before, after the rewrite and before the purge.
    pub checks: Vec<Check>,
    /// Kinds of value that a scan looks for beside those that are built in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patterns: Vec<PatternRule>,
    /// How many have to agree, and what stands in a purge's way.
    pub approval: Approval,
    /// `[purge]`.
    #[serde(default)]
    pub purge: PurgeRule,
    /// Copies of the source that lie elsewhere, each with its keeper.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<CopyRule>,
    /// Where the encrypted backup of the originals goes.
    pub backup: BackupRule,
    /// Bounds of a run.
    pub limits: Limits,
    /// When a run slows down.
    pub throttle: Throttle,
    /// When a run may work at all.
    pub window: Option<Window>,
    /// What happens to a run that cannot go on.
    pub on_failure: OnFailure,
    /// SHA-256 of the file's bytes, in lowercase hex. Plans and ledger entries name it.
    pub hash: String,
}

impl Policy {
    /// The domain of a column: the one it names, or `source.table.column`.
    #[must_use]
    pub fn domain_of(&self, rule: &ColumnRule) -> String {
        rule.domain.clone().unwrap_or_else(|| format!("{}.{}", self.source, rule.name))
    }

    /// The same policy with one name for each table: without the schema that an unqualified name
    /// means, so that `public.t.c` and `t.c` are one column.
    #[must_use]
    pub fn with_default_schema(mut self, schema: &str) -> Self {
        let columns = self.columns.iter_mut().map(|rule| &mut rule.name.table);
        for table in columns.chain(self.tables.iter_mut().map(|rule| &mut rule.name)) {
            table.schema.take_if(|named| named == schema);
        }
        self
    }
}

/// `[change]`: what an approver wants to know before anything else. Words, and nothing follows from
/// them; the plan's document begins with them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ChangeRule {
    /// Why the columns are moved into the vault.
    pub purpose: Option<String>,
    /// Where the change was asked for and agreed.
    pub ticket: Option<String>,
    /// Who answers for the data.
    pub owner: Option<String>,
}

/// One `[[column]]`: a column in scope and how it is treated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnRule {
    /// The column, as the catalog names it.
    pub name: ColumnName,
    /// The data class: `contact`, `identity`, `payment`, `financial`, `health` or a name of one's own.
    pub class: String,
    /// The domain; columns of one domain share tokens. `None`: the column is a domain of its own.
    pub domain: Option<String>,
    /// Which kind of token stands in for its values.
    pub token: TokenKind,
    /// The shape of `format` tokens; `Some` exactly where `token` is [`TokenKind::Format`].
    pub format: Option<FormatShape>,
    /// Text around the token, with `{token}` once in it.
    pub template: Option<String>,
    /// What happens to `''`.
    pub empty: EmptyRule,
    /// Whether a too narrow column may be widened.
    pub fit: Fit,
    /// Findings that the steward accepts for this column.
    pub waive: Vec<Waiver>,
    /// What makes two values of this column equal.
    pub normalise: Normalise,
    /// Accepts that values with one normal form come back as one of them.
    pub lossy_ok: bool,
    /// `random` only: equal values get one token.
    pub dedupe: bool,
}

/// Which kind of token.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    /// HMAC of the value: equal values, equal tokens.
    Keyed,
    /// Random bits, one token a cell unless `dedupe` is set.
    Random,
    /// FF1: keeps width and alphabet.
    Format,
    /// Keyed bits written as UUID version 8.
    Uuid,
}

impl TokenKind {
    /// The word of the policy.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Keyed => "keyed",
            Self::Random => "random",
            Self::Format => "format",
            Self::Uuid => "uuid",
        }
    }
}

/// The shape that `format` tokens keep.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum FormatShape {
    /// A payment card number: Luhn-valid digits in, Luhn-invalid digits of the same length out.
    Card,
    /// Digits; every other character stays where it is.
    Digits,
    /// Lowercase letters, uppercase letters and digits; every other character stays.
    Alnum,
}

/// What happens to the empty text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmptyRule {
    /// It gets a token like any other value.
    #[default]
    Tokenize,
    /// It stays empty.
    Keep,
}

/// Whether a column that is too narrow for tokens may be widened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// The plan is blocked instead.
    #[default]
    Refuse,
    /// `varchar(n)` and `char(n)` are widened, and narrowed again on rollback.
    Widen,
}

/// A finding that a steward accepts for a column; it is signed with the plan.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Waiver {
    /// Few distinct values: tokens show which rows share one.
    LowEntropy,
}

/// What makes two values of a domain equal, before the token is derived.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Normalise {
    /// Byte equality.
    #[default]
    None,
    /// Unicode normalisation form C.
    Nfc,
    /// NFC of the lowercase of NFC.
    Casefold,
    /// White space around the value is left out.
    Trim,
    /// Only ASCII digits count.
    Digits,
}

impl Normalise {
    /// The number by which formats name the normalisation; never changes.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Nfc => 1,
            Self::Casefold => 2,
            Self::Trim => 3,
            Self::Digits => 4,
        }
    }
}

/// One `[[table]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableRule {
    /// The table.
    pub name: TableName,
    /// Triggers that must not fire for the rewrite, by name.
    pub suppress_triggers: Vec<String>,
    /// Whether columns generated from one in scope may be computed from tokens.
    #[serde(default)]
    pub generated_columns: GeneratedRule,
}

/// What becomes of stored columns that are generated from a column in scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GeneratedRule {
    /// They stand in the way of a run.
    #[default]
    Refuse,
    /// They are computed from tokens, and by a rollback from the originals again.
    Recompute,
}

/// One `[[pattern]]`: a kind of value of one's own, for `scan`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatternRule {
    /// What findings call it.
    pub name: String,
    /// The data class of what it finds.
    pub class: String,
    /// What a value looks like; it compiles, and does not match the empty text.
    pub regex: String,
    /// Which columns are looked at, by their names; it compiles. `None`: all of them.
    pub column: Option<String>,
}

/// One `[[purpose]]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Purpose {
    /// The name that requests give.
    pub name: String,
    /// Callers with one of these roles may use it.
    pub roles: Vec<String>,
    /// What it may be used for.
    pub may: Vec<Permission>,
    /// Class or domain → the form in which its values are shown. A domain wins over its class.
    pub show: BTreeMap<String, Form>,
    /// How many tokens (or values) one request may carry.
    pub max_tokens_per_request: u32,
    /// Tokens per minute and caller, where limited.
    pub max_tokens_per_minute: Option<u32>,
    /// Tokens per day and caller, where limited.
    pub max_tokens_per_day: Option<u64>,
    /// RFC 3339; before it the purpose is refused.
    pub valid_from: Option<String>,
    /// RFC 3339; after it the purpose is refused.
    pub valid_until: Option<String>,
    /// Mixed mode of the API: a value that is not token-shaped is returned as it is.
    pub pass_originals: bool,
    /// A request of more tokens than this needs an unlock by a second person.
    #[serde(default)]
    pub unlock_above: Option<u32>,
    /// For emergencies: each use is to be reviewed.
    #[serde(default)]
    pub break_glass: bool,
}

/// What a purpose may be used for.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Token → value.
    Detokenize,
    /// Value → token.
    Tokenize,
    /// Which token stands for this value?
    Search,
}

/// How a purpose sees a value.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// The value itself.
    Plain,
    /// Its last four characters, the rest starred.
    Last4,
    /// Its first character and its shape.
    Masked,
    /// Not at all; only whether a given value is the one.
    Match,
}

/// One `[[check]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What it checks, in words.
    pub name: String,
    /// One statement that returns one value.
    pub sql: String,
    /// What its answer has to be.
    pub expect: Expect,
}

/// What the answer of a check has to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// The same as before the run.
    Unchanged,
    /// This text.
    Value(String),
}

/// `[approval]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Distinct callers who have to sign the plan.
    pub plan: u32,
    /// Distinct callers who have to sign the purge.
    pub purge: u32,
    /// How long a purge has to wait after its approval, in seconds.
    pub purge_wait_s: u64,
    /// Nothing may be purged.
    pub legal_hold: bool,
}

impl Default for Approval {
    fn default() -> Self {
        Self { plan: 1, purge: 1, purge_wait_s: 0, legal_hold: false }
    }
}

/// `[purge]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PurgeRule {
    /// Files and folders that are searched for originals too: dumps, exports, archives of a log.
    pub scan: Vec<String>,
}

/// `[backup]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupRule {
    /// The folder. A relative one is taken from the current folder.
    pub dir: String,
    /// How long the backup is kept after the purge; 0 destroys it with the purge.
    pub retention_days: u32,
    /// `age` public keys that can open the backup too.
    pub recipients: Vec<String>,
}

impl Default for BackupRule {
    fn default() -> Self {
        Self { dir: "sealift-backup".to_owned(), retention_days: 0, recipients: Vec::new() }
    }
}

/// `[limits]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Rows that may wait in quarantine before the run stops.
    pub quarantine_max: u64,
    /// The longest value that is tokenised, in bytes.
    pub value_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { quarantine_max: 0, value_bytes_max: 16 << 20 }
    }
}

/// `[throttle]`; `None` is no limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Throttle {
    /// Rows a second that a run rewrites at most.
    pub rows_per_s_max: Option<u64>,
    /// Replica lag in milliseconds at which the run holds.
    pub replica_lag_ms_max: Option<u64>,
    /// Retained WAL in bytes at which the run holds.
    pub wal_bytes_max: Option<u64>,
    /// Commit latency in milliseconds at which the run slows.
    pub commit_ms_max: Option<u64>,
    /// How long others may wait for a lock of ours, in milliseconds, before transactions shrink.
    pub lock_wait_ms_max: Option<u64>,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            rows_per_s_max: None,
            replica_lag_ms_max: Some(10_000),
            wal_bytes_max: Some(16 << 30),
            commit_ms_max: Some(500),
            lock_wait_ms_max: Some(25),
        }
    }
}

/// `[window]`: local time of day, `"22:00"` to `"05:30"`; may span midnight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Minutes after midnight.
    pub from_min: u16,
    /// Minutes after midnight.
    pub until_min: u16,
    /// An IANA zone, or `UTC`.
    pub zone: String,
}

/// `on_failure`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// The run stays where it is.
    #[default]
    Hold,
    /// The run is rolled back.
    Rollback,
}
