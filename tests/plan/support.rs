//! Makes a database of a fixture, plans over it, and looks findings up.

use sealift::catalog::Catalog;
use sealift::engine::sqlite::{catalog, facts};
use sealift::plan::{Assessment, Facts, Finding, Strategy, Unit, UnitTable, Verdict, assess};
use sealift::policy::{
    Approval, BackupRule, ChangeRule, ColumnName, ColumnRule, EmptyRule, Fit, FormatShape,
    GeneratedRule, Limits, Normalise, OnFailure, Policy, TableName, TableRule, Throttle, TokenKind,
};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

/// A rule with the defaults of a policy, in the words of one.
pub(super) fn column(name: &str) -> ColumnRule {
    ColumnRule {
        name: ColumnName::parse(name).expect("a column's name"),
        class: "contact".into(),
        domain: None,
        token: TokenKind::Keyed,
        format: None,
        template: None,
        empty: EmptyRule::default(),
        fit: Fit::default(),
        waive: Vec::new(),
        normalise: Normalise::default(),
        lossy_ok: false,
        dedupe: false,
    }
}

pub(super) fn token(kind: TokenKind, name: &str) -> ColumnRule {
    ColumnRule { token: kind, ..column(name) }
}

pub(super) fn format(shape: FormatShape, name: &str) -> ColumnRule {
    ColumnRule { token: TokenKind::Format, format: Some(shape), ..column(name) }
}

pub(super) fn domain(domain: &str, name: &str) -> ColumnRule {
    ColumnRule { domain: Some(domain.into()), ..column(name) }
}

pub(super) fn normalise(normalise: Normalise, rule: ColumnRule) -> ColumnRule {
    ColumnRule { normalise, lossy_ok: true, ..rule }
}

pub(super) fn policy(columns: Vec<ColumnRule>) -> Policy {
    Policy {
        source: "crm".into(),
        change: ChangeRule::default(),
        columns,
        tables: Vec::new(),
        purposes: Vec::new(),
        checks: Vec::new(),
        patterns: Vec::new(),
        approval: Approval { plan: 1, purge: 1, purge_wait_s: 0, legal_hold: false },
        purge: sealift::policy::PurgeRule::default(),
        elsewhere: Vec::new(),
        backup: BackupRule {
            dir: "sealift-backup".into(),
            retention_days: 0,
            recipients: Vec::new(),
        },
        limits: Limits { quarantine_max: 0, value_bytes_max: 16 << 20 },
        throttle: Throttle::default(),
        window: None,
        on_failure: OnFailure::Hold,
        hash: "00".into(),
    }
}

pub(super) fn suppressing(mut policy: Policy, table: &str, triggers: &[&str]) -> Policy {
    policy.tables.push(TableRule {
        name: TableName::parse(table).expect("a table's name"),
        suppress_triggers: triggers.iter().map(|&name| name.to_owned()).collect(),
        generated_columns: GeneratedRule::Refuse,
    });
    policy
}

/// Reads a fixture as a plan does, and holds that the file is untouched by it.
pub(super) async fn read(sql: &str, policy: &Policy) -> (Catalog, Facts) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("source.db");
    let options = SqliteConnectOptions::new().filename(&file).foreign_keys(false);
    let mut conn = options.clone().create_if_missing(true).connect().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();

    let before = std::fs::read(&file).unwrap();
    let mut conn = options.read_only(true).connect().await.unwrap();
    let catalog = catalog::read(&mut conn).await.unwrap();
    let facts = facts::read(&mut conn, &catalog, policy, None).await.unwrap();
    conn.close().await.unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), before, "the plan leaves the source byte-identical");
    (catalog, facts)
}

pub(super) async fn plan(sql: &str, policy: &Policy) -> Plan {
    let (catalog, facts) = read(sql, policy).await;
    Plan(assess(&catalog, policy, &facts, Strategy::InPlace))
}

pub(super) struct Plan(pub(super) Assessment);

impl Plan {
    pub(super) fn find(&self, pitfall: &str, object: &str) -> Option<&Finding> {
        self.0.findings.iter().find(|found| found.pitfall == pitfall && found.object == object)
    }

    /// Holds that there is a finding with this verdict, whose remedy names this way out.
    #[track_caller]
    pub(super) fn has(&self, verdict: Verdict, pitfall: &str, object: &str, way_out: &str) {
        let Some(found) = self.find(pitfall, object) else {
            panic!("no `{pitfall}` at `{object}` in {:#?}", self.0.findings)
        };
        assert_eq!(found.verdict, verdict, "{found:#?}");
        assert!(found.remedy.contains(way_out), "{found:#?}");
    }

    #[track_caller]
    pub(super) fn blocks(&self, pitfall: &str, object: &str, way_out: &str) {
        self.has(Verdict::Blocks, pitfall, object, way_out);
        assert!(self.0.is_blocked());
    }

    #[track_caller]
    pub(super) fn warns(&self, pitfall: &str, object: &str, way_out: &str) {
        self.has(Verdict::Warns, pitfall, object, way_out);
    }

    #[track_caller]
    pub(super) fn handles(&self, pitfall: &str, object: &str, way_out: &str) {
        self.has(Verdict::Handled, pitfall, object, way_out);
    }

    #[track_caller]
    pub(super) fn is_silent(&self, pitfall: &str, object: &str) {
        assert_eq!(self.find(pitfall, object), None);
    }

    #[track_caller]
    pub(super) fn is_not_blocked(&self) {
        let blocking: Vec<&Finding> =
            self.0.findings.iter().filter(|found| found.verdict == Verdict::Blocks).collect();
        assert!(blocking.is_empty(), "{blocking:#?}");
    }

    #[track_caller]
    pub(super) fn table(&self, name: &str) -> (&Unit, &UnitTable) {
        self.0
            .units
            .iter()
            .find_map(|unit| {
                let table = unit.tables.iter().find(|table| table.table.name == name)?;
                Some((unit, table))
            })
            .expect("a unit with the table")
    }
}
