//! What a run's backup consists of, in one record: enough to read it where the vault is lost.
//!
//! It lies in the folder beside the files, encrypted like them, and is written anew whenever a pass
//! ends. It names tables, columns and files; it holds no original and no key.

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use crate::lifecycle::RunId;
use crate::plan::{Assessment, Unit, UnitTable, Walk};
use crate::policy::{ColumnRule, Policy, TableName};
use crate::ports::{
    BackupError, BackupStore, FileKind, FileRow, FileSeal, RangeRow, ScratchTable, Vault,
};
use crate::run::error::RunError;
use crate::run::job::Job;
use crate::token::{DomainId, Treatment};

/// The file's name in the folder.
pub const MANIFEST: &str = "manifest";

/// What the key of a table without one is called where its rows are written down.
const ROW: &str = "sealift_row";

/// What a run's backup consists of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The run.
    pub run: RunId,
    /// The source's name in the policy.
    pub source: String,
    /// The pieces of the work, with their tables.
    pub units: Vec<Unit>,
    /// The columns' rules, in the order of the policy.
    pub rules: Vec<ColumnRule>,
    /// The domain of each of them, where the vault has it.
    pub domains: Vec<Option<u16>>,
    /// The ranges that were backed up.
    pub ranges: Vec<ManifestRange>,
    /// The finished files.
    pub files: Vec<ManifestFile>,
}

/// One range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestRange {
    /// The unit.
    pub unit: u16,
    /// The table within the unit.
    pub table: u16,
    /// The range's number within the unit.
    pub number: u32,
    /// Rows that were backed up.
    pub rows: u64,
    /// Cells with an original that were backed up.
    pub originals: u64,
}

/// One finished file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFile {
    /// What it holds, in the vault's word for it.
    pub kind: String,
    /// The unit.
    pub unit: u16,
    /// The range.
    pub range: u32,
    /// Orders increments: the epoch, …
    pub epoch: u64,
    /// … and the number within it.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// SHA-256 of it, in lowercase hex.
    pub sha256: String,
    /// Its length.
    pub bytes: u64,
    /// Records in it.
    pub records: u64,
}

impl Manifest {
    /// What the vault has on record of a run's backup.
    ///
    /// # Errors
    ///
    /// [`RunError`] where the vault does not answer.
    pub async fn of(
        vault: &dyn Vault,
        run: RunId,
        policy: &Policy,
        plan: &Assessment,
    ) -> Result<Self, RunError> {
        let domains = vault.domains().await?;
        let domain_of = |rule: &ColumnRule| {
            let name = policy.domain_of(rule);
            domains.iter().find(|row| row.name == name).map(|row| row.domain.0)
        };
        Ok(Self {
            run,
            source: policy.source.clone(),
            units: plan.units.clone(),
            rules: policy.columns.clone(),
            domains: policy.columns.iter().map(domain_of).collect(),
            ranges: vault.ranges(run).await?.iter().map(ManifestRange::of).collect(),
            files: vault
                .files(run)
                .await?
                .iter()
                // What waits to be loaded is on its way, and no part of what is kept.
                .filter(|file| file.kind != FileKind::Stage)
                .map(ManifestFile::of)
                .collect(),
        })
    }

    /// Reads the manifest of a folder, whose vault is not at hand.
    ///
    /// # Errors
    ///
    /// [`BackupError`] where there is none, or it is not one.
    pub fn read(store: &dyn BackupStore) -> Result<Self, BackupError> {
        let mut reader = store.open_unrecorded(MANIFEST)?;
        let altered = || BackupError::Altered { name: MANIFEST.to_owned() };
        let record = reader.read()?.ok_or_else(altered)?;
        serde_json::from_slice(&record).map_err(|_| altered())
    }

    /// Writes it into a folder, in place of an older one.
    fn write(&self, store: &dyn BackupStore) -> Result<(), RunError> {
        let bytes =
            serde_json::to_vec(self).map_err(|error| RunError::Inconsistent(error.to_string()))?;
        // Written beside and moved: a manifest that is cut off would be none.
        let beside = format!("{MANIFEST}.unfinished");
        let mut writer = store.create(&beside)?;
        writer.write(&bytes)?;
        writer.finish()?;
        Ok(store.rename(&beside, MANIFEST)?)
    }

    /// The tables, each with its unit and its place in it.
    pub(crate) fn tables(&self) -> impl Iterator<Item = (&Unit, u16, &UnitTable)> {
        self.units.iter().flat_map(|unit| {
            let placed = unit.tables.iter().enumerate();
            placed.map(move |(at, table)| (unit, u16::try_from(at).unwrap_or(u16::MAX), table))
        })
    }

    /// The tables that somebody means by these names, or all of them; a name without a schema means
    /// the tables of that name.
    ///
    /// # Errors
    ///
    /// Returns the first name that means none.
    pub fn chosen(&self, names: &[TableName]) -> Result<Vec<TableName>, TableName> {
        let all: Vec<TableName> = self.tables().map(|(_, _, table)| table.table.clone()).collect();
        if names.is_empty() {
            return Ok(all);
        }
        let mut chosen = Vec::new();
        for name in names {
            let is_meant = |table: &&TableName| {
                *table == name || (name.schema.is_none() && table.name == name.name)
            };
            let mut meant: Vec<TableName> = all.iter().filter(is_meant).cloned().collect();
            if meant.is_empty() {
                return Err(name.clone());
            }
            chosen.append(&mut meant);
        }
        Ok(chosen)
    }

    /// The files of one kind, as the vault has them.
    pub(crate) fn of_kind(&self, kind: FileKind) -> impl Iterator<Item = &ManifestFile> {
        self.files.iter().filter(move |file| file.kind == kind.name())
    }

    /// How the cells of a table are treated; `None` for a column whose domain is not known.
    pub(crate) fn treatments(&self, table: &UnitTable) -> Vec<Option<Treatment>> {
        let of = |rule: usize| {
            let domain = DomainId::new((*self.domains.get(rule)?)?)?;
            Treatment::from_rule(self.rules.get(rule)?, domain).ok()
        };
        table.columns.iter().map(|column| of(column.rule)).collect()
    }
}

impl ManifestRange {
    fn of(row: &RangeRow) -> Self {
        let RangeRow { unit, table, number, rows, originals, .. } = row;
        Self { unit: *unit, table: *table, number: *number, rows: *rows, originals: *originals }
    }
}

impl ManifestFile {
    fn of(row: &FileRow) -> Self {
        Self {
            kind: row.kind.name().to_owned(),
            unit: row.unit,
            range: row.range,
            epoch: row.epoch,
            number: row.number,
            name: row.seal.name.clone(),
            sha256: HEXLOWER.encode(&row.seal.sha256),
            bytes: row.seal.bytes,
            records: row.seal.records,
        }
    }

    /// What is remembered of the file.
    ///
    /// # Errors
    ///
    /// [`BackupError::Altered`] where its hash is none.
    pub(crate) fn seal(&self) -> Result<FileSeal, BackupError> {
        let altered = || BackupError::Altered { name: MANIFEST.to_owned() };
        let sha256 = HEXLOWER.decode(self.sha256.as_bytes()).map_err(|_| altered())?;
        Ok(FileSeal {
            name: self.name.clone(),
            sha256: sha256.try_into().map_err(|_| altered())?,
            bytes: self.bytes,
            records: self.records,
        })
    }
}

/// Puts the manifest of a run as it stands now beside its files.
pub(crate) async fn keep_manifest(job: &Job) -> Result<(), RunError> {
    Manifest::of(job.vault.as_ref(), job.run, &job.policy, &job.plan)
        .await?
        .write(job.files.as_ref())
}

/// How a table of a run is written down elsewhere.
pub(crate) fn scratch_table(table: &UnitTable) -> ScratchTable {
    ScratchTable {
        table: table.table.clone(),
        keys: match &table.walk {
            Walk::Key(keys) => keys.clone(),
            Walk::RowId => vec![ROW.to_owned()],
            // The key is among the columns in scope.
            Walk::ScopedKey(_) => Vec::new(),
        },
        is_unique: matches!(table.walk, Walk::Key(_)),
        columns: table.columns.iter().map(|column| column.column.clone()).collect(),
    }
}
