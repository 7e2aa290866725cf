//! `sealift vault`: copied, put back, read through.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::args::VaultVerb;
use super::desk::{Desk, OsRandom, now, ring, unlock_slots};
use super::exit::{Failure, Outcome};
use super::job::keys_json;
use super::output::{Output, note};
use super::settings::Settings;
use super::vault_trial::Trial;
use crate::access::Verb;
use crate::backup::{VaultFile, new_identity};
use crate::crypto::{KeyHeader, KeyId, KeyPurpose, RootKey, RunSecret, Slot, VaultId};
use crate::lifecycle::RunId;
use crate::ports::{FileSeal, Progress, Silent, VaultCopies, VaultCopy, VaultError};
use crate::run::VAULT_COPIED;
use crate::upkeep::{Checked, RowCounts, check, copy, restore};
use crate::words::{counted, grouped, shell_word};

/// What the first line of a copy says it is.
const KIND: &str = "vault backup";

/// Copies that the purge of one run makes: each time that it is tried again, one.
const COPIES_MAX: u32 = 100;

/// Findings that are named one by one.
const NAMED_MAX: usize = 100;

pub(super) async fn vault(
    settings: &Settings,
    out: &Output,
    typed: VaultVerb,
) -> Result<Outcome, Failure> {
    match typed {
        VaultVerb::Backup { output, recipient } => {
            back_up(settings, out, &output, &recipient).await
        }
        VaultVerb::Restore { file, accept_findings } => {
            put_back(settings, out, &file, accept_findings).await
        }
        VaultVerb::Check => read_through(settings, out).await,
    }
}

async fn back_up(
    settings: &Settings,
    out: &Output,
    output: &Path,
    recipients: &[String],
) -> Result<Outcome, Failure> {
    let desk = Desk::open(settings, Verb::VaultBackup).await?;
    let progress = out.progress();
    let Copied { rows, seal, checked } =
        copied(settings, &desk, output, recipients, progress.as_ref()).await?;
    out.object(&json!({
        "output": output.display().to_string(), "bytes": seal.bytes, "rows": rows,
        "sha256": data_encoding::HEXLOWER.encode(&seal.sha256),
        "entries": checked.entries, "findings": checked.findings,
    }));
    tell(out, &checked);
    out.line(format!(
        "the vault is in {}: {} rows, {} bytes; put back into a scratch vault and read through",
        output.display(),
        grouped(rows.values().sum()),
        grouped(seal.bytes)
    ));
    out.next(&desk.caller.name, &format!("sealift vault restore {} --vault sqlite:restored.db   # on the day it is needed; keep the file elsewhere", shell_word(&output.display().to_string())));
    verdict(&checked, "the vault")
}

/// A copy of the vault that was tried out.
struct Copied {
    rows: RowCounts,
    seal: FileSeal,
    checked: Checked,
}

/// Copies the vault into a new file, puts the copy back into a scratch vault and reads that through.
/// The copy is on the ledger before it has its name.
async fn copied(
    settings: &Settings,
    desk: &Desk,
    output: &Path,
    recipients: &[String],
    progress: &dyn Progress,
) -> Result<Copied, Failure> {
    let file = VaultFile::at(output);
    let identity = new_identity();
    let line = first_line(desk, identity.as_bytes()).await?;
    let writer = file.create(&line, &identity, recipients).map_err(|error| {
        Failure::from(error)
            .or_hint("name a file that is not there yet, in a folder that can be written to")
    })?;
    let (rows, seal) = copy(desk.vault.as_ref(), writer, progress).await?;
    let tried = async {
        let tried = tried(settings, desk, &file.unnamed(), output, &identity, progress).await?;
        if tried.rows != rows {
            return Err(Failure::finding("the copy, put back, has other rows than the vault")
                .hint("copy again; look at the disk"));
        }
        // ORDER: on the ledger first. A copy has keys that a purge destroys, and there is none by its
        // name that the ledger does not list.
        record_backup(desk, output, &rows, &seal, recipients.len()).await?;
        file.give_name()?;
        Ok(tried.checked)
    };
    match tried.await {
        Ok(checked) => Ok(Copied { rows, seal, checked }),
        // A copy that was never tried is none, and the same command may be given again.
        Err(failure) => {
            file.give_up();
            Err(failure)
        }
    }
}

/// Copies of the vault beside the backup of a run, made by its purge.
pub(super) struct CopiesOfPurge<'d> {
    pub(super) settings: &'d Settings,
    pub(super) desk: &'d Desk,
    /// The folder of backups, and the run.
    pub(super) folder: PathBuf,
    pub(super) run: RunId,
    /// Further `age` public keys that may open a copy.
    pub(super) recipients: &'d [String],
}

#[async_trait]
impl VaultCopies for CopiesOfPurge<'_> {
    async fn copy(&self) -> Result<VaultCopy, Box<dyn std::error::Error + Send + Sync>> {
        let Self { settings, desk, run, recipients, .. } = self;
        let name = |number: u32| self.folder.join(format!("vault-{run}-{number}.copy"));
        let path = (1..=COPIES_MAX).map(name).find(|path| !path.exists()).ok_or_else(|| {
            format!("there are {COPIES_MAX} copies of the vault in the backup folder already")
        })?;
        let copied = copied(settings, desk, &path, recipients, &Silent).await;
        let Copied { rows, checked, .. } = copied.map_err(Failure::into_error)?;
        if checked.found > 0 {
            let found = counted(checked.found, "thing does", "things do");
            return Err(format!("in the copy {found} not hold: see `sealift vault check`").into());
        }
        Ok(VaultCopy { file: path.display().to_string(), rows: rows.values().sum() })
    }
}

/// Slots, wrapped keys, and the identity that opens the rest, wrapped too.
async fn first_line(desk: &Desk, identity: &[u8]) -> Result<String, Failure> {
    let mut line = keys_json(desk.vault.as_ref()).await?;
    let at = now();
    let header = identity_header(desk.keys.vault(), &at);
    let wrapped = desk.keys.root().wrap(&header, identity, &mut OsRandom);
    line["sealift"] = KIND.into();
    line["version"] = 1.into();
    line["made_at"] = at.into();
    line["identity"] = data_encoding::HEXLOWER.encode(&wrapped).into();
    serde_json::to_string(&line).map_err(Failure::fault)
}

/// The identity of a copy is no key of the vault's: it has the number that no key has.
fn identity_header(vault: VaultId, made_at: &str) -> KeyHeader {
    KeyHeader::new(vault, KeyId(0), KeyPurpose::Run, KIND, made_at)
}

async fn record_backup(
    desk: &Desk,
    output: &Path,
    rows: &RowCounts,
    seal: &FileSeal,
    recipients: usize,
) -> Result<(), Failure> {
    let mut draft = desk.draft(VAULT_COPIED, "vault");
    draft.counts.insert("bytes".into(), seal.bytes);
    draft.counts.insert("rows".into(), rows.values().sum());
    draft.counts.insert("entries".into(), rows.get("entry").copied().unwrap_or_default());
    draft.counts.insert("ledger".into(), rows.get("ledger").copied().unwrap_or_default());
    draft.counts.insert("recipients".into(), recipients as u64);
    draft.details.insert("file".into(), output.display().to_string().into());
    draft.details.insert("sha256".into(), data_encoding::HEXLOWER.encode(&seal.sha256).into());
    desk.commit(Vec::new(), draft).await
}

/// What a copy came to, put back.
struct Tried {
    rows: RowCounts,
    checked: Checked,
}

/// Puts a copy back into a scratch vault beside it and reads that through.
async fn tried(
    settings: &Settings,
    desk: &Desk,
    file: &VaultFile,
    path: &Path,
    identity: &str,
    progress: &dyn Progress,
) -> Result<Tried, Failure> {
    let scratch = Trial::beside(path)?;
    let mut reader = file.open(identity)?;
    let rebuild = scratch.settings(settings).rebuild_vault().await?;
    let restored = restore(reader.as_mut(), rebuild, &Silent).await?;
    let vault = scratch.settings(settings).open_vault().await?;
    let keys = ring(vault.as_ref(), desk.keys.root().duplicate()).await?;
    let checked = check(vault.as_ref(), &keys, progress).await?;
    Ok(Tried { rows: restored.rows, checked })
}

async fn put_back(
    settings: &Settings,
    out: &Output,
    path: &Path,
    accept_findings: bool,
) -> Result<Outcome, Failure> {
    if settings.open_vault().await.is_ok() {
        return Err(VaultError::Exists { url: settings.vault_shown() }.into());
    }
    let file = VaultFile::at(path);
    let identity = identity_in(&file, path, settings)?;
    let progress = out.progress();
    let checked = {
        let scratch = Trial::beside(path)?;
        let tried = scratch.settings(settings);
        let mut reader = file.open(identity.expose()).map_err(Failure::of_copy)?;
        restore(reader.as_mut(), tried.rebuild_vault().await?, &Silent).await?;
        // Who may put it back is asked of the copy: there is no other vault to ask.
        let desk = Desk::open(&tried, Verb::VaultRestore).await?;
        check(desk.vault.as_ref(), &desk.keys, progress.as_ref()).await?
    };
    tell(out, &checked);
    if checked.found > 0 && !accept_findings {
        return Err(Failure::finding(format!(
            "the copy holds a vault in which {} not hold; nothing was put back",
            counted(checked.found, "thing does", "things do")
        ))
        .hint("take another copy, or put this one back as it is with `--accept-findings`"));
    }
    let mut reader = file.open(identity.expose()).map_err(Failure::of_copy)?;
    let restored =
        restore(reader.as_mut(), settings.rebuild_vault().await?, progress.as_ref()).await?;
    let desk = Desk::open(settings, Verb::VaultRestore).await?;
    let mut draft = desk.draft("vault_restored", "vault");
    draft.counts.insert("rows".into(), restored.rows.values().sum());
    draft.counts.insert("findings".into(), checked.found);
    draft.details.insert("file".into(), path.display().to_string().into());
    desk.commit(Vec::new(), draft).await.map_err(|failure| {
        note(failure.to_string());
        Failure::failed("the vault is back, and the entry that says so could not be written")
            .hint("make room; then go on with it after `sealift vault check`, and keep a note of the restore")
    })?;
    out.object(&json!({
        "rows": restored.rows, "entries": checked.entries, "findings": checked.findings,
    }));
    out.line(format!(
        "the vault is back: {} rows, {} sealed values that open",
        grouped(restored.rows.values().sum()),
        grouped(checked.entries)
    ));
    out.next(&desk.caller.name, "sealift status --all");
    verdict(&checked, "the copy")
}

/// Opens a slot of the copy and unwraps the identity that opens the rest.
fn identity_in(file: &VaultFile, path: &Path, settings: &Settings) -> Result<RunSecret, Failure> {
    let no_copy = || {
        Failure::failed(format!("`{}` is no copy of a vault", path.display()))
            .hint("name a file that `sealift vault backup` wrote")
    };
    let line = file.line().map_err(Failure::of_copy)?;
    let line: Value = serde_json::from_str(&line).map_err(|_| no_copy())?;
    if line["sealift"] != KIND {
        return Err(no_copy());
    }
    let text = |name: &str| line[name].as_str().ok_or_else(no_copy);
    let bytes =
        |name: &str| data_encoding::HEXLOWER.decode(text(name)?.as_bytes()).map_err(|_| no_copy());
    let vault: VaultId = text("vault")?.parse().map_err(|_| no_copy())?;
    let slots: Vec<Slot> = serde_json::from_value(line["slots"].clone()).map_err(|_| no_copy())?;
    let numbered: Vec<(u32, Slot)> = (1..).zip(slots).collect();
    let (root, _): (RootKey, u32) = unlock_slots(vault, &bytes("key_check")?, &numbered, settings)?;
    root.unwrap_key(&identity_header(vault, text("made_at")?), &bytes("identity")?).map_err(
        |error| {
            Failure::failed(error).hint("the first line of the file was altered; take another copy")
        },
    )
}

async fn read_through(settings: &Settings, out: &Output) -> Result<Outcome, Failure> {
    let desk = Desk::open(settings, Verb::VaultCheck).await?;
    let checked = check(desk.vault.as_ref(), &desk.keys, out.progress().as_ref()).await?;
    let mut draft = desk.draft("vault_checked", "vault");
    draft.counts.insert("entries".into(), checked.entries);
    draft.counts.insert("segments".into(), checked.segments);
    draft.counts.insert("findings".into(), checked.found);
    desk.commit(Vec::new(), draft).await?;
    out.object(&json!({
        "entries": checked.entries, "domains": checked.by_domain, "segments": checked.segments,
        "ledger": checked.ledger, "findings": checked.findings, "found": checked.found,
    }));
    tell(out, &checked);
    out.next(&desk.caller.name, "sealift vault backup --output vault.backup");
    verdict(&checked, "the vault")
}

/// What was read, and what does not hold.
fn tell(out: &Output, checked: &Checked) {
    out.line(format!(
        "{} sealed values open to the values of their tokens; {} and {} are as recorded",
        grouped(checked.entries),
        counted(checked.segments, "segment", "segments"),
        counted(checked.ledger, "ledger entry", "ledger entries")
    ));
    for (domain, entries) in &checked.by_domain {
        out.line(format!("  {domain:<32} {}", grouped(*entries)));
    }
    for finding in checked.findings.iter().take(NAMED_MAX) {
        note(format!("finding: {}: {}", finding.kind, finding.place));
    }
    let left = checked.found.saturating_sub(NAMED_MAX as u64);
    if left > 0 {
        note(format!("… and {} more", grouped(left)));
    }
}

fn verdict(checked: &Checked, what: &str) -> Result<Outcome, Failure> {
    if checked.found == 0 {
        return Ok(Outcome::Done);
    }
    let found = counted(checked.found, "thing does", "things do");
    Err(Failure::finding(format!("in {what} {found} not hold"))
        .hint("put the newest good copy back: `sealift vault restore FILE --vault URL`"))
}
