//! `sealift keys`: keys, their states, and ways to unlock them.

use std::path::Path;

use serde_json::json;

use super::args::{Keys, Slot as SlotVerb};
use super::desk::{
    Desk, OsRandom, header_of, key_file_secret, key_row, now, parse_slot, recovery_secret,
};
use super::exit::{Failure, Outcome};
use super::output::Output;
use super::settings::Settings;
use crate::access::Verb;
use crate::crypto::{
    Argon2Params, DataKey, KeyFile, KeyHeader, KeyPurpose, KeyState, RecoveryCode, RootKey, Slot,
    SlotKind, SlotSecret,
};
use crate::keystore::{PassphraseSource, read_secret_file, write_secret_file};
use crate::lifecycle::Phase;
use crate::ports::{Change, SlotRow};

pub(super) async fn keys(
    settings: &Settings,
    out: &Output,
    typed: Keys,
) -> Result<Outcome, Failure> {
    match typed {
        Keys::List => list(settings, out).await,
        Keys::Rotate { domain: Some(domain), .. } => rotate(settings, out, &domain).await,
        Keys::Rotate { domain: None, .. } => super::keys_ledger::rotate(settings, out).await,
        Keys::Rewrap => rewrap(settings, out).await,
        Keys::Slot(SlotVerb::Add { recovery_file, key_file, new_passphrase_file }) => {
            let new = match (&recovery_file, &key_file, &new_passphrase_file) {
                (Some(file), None, None) => New::Recovery(file),
                (None, Some(file), None) => New::KeyFile(file),
                (None, None, Some(file)) => New::Passphrase(file),
                _ => {
                    return Err(Failure::failed("nothing to add is named")
                        .hint("name `--recovery-file`, `--key-file` or `--new-passphrase-file`"));
                }
            };
            add_slot(settings, out, &new).await
        }
        Keys::Slot(SlotVerb::Check { recovery_file, key_file }) => {
            let secret = match (&recovery_file, &key_file) {
                (Some(file), None) => recovery_secret(file)?,
                (None, Some(file)) => key_file_secret(file)?,
                _ => {
                    return Err(Failure::failed("nothing to check is named")
                        .hint("name `--recovery-file` or `--key-file`"));
                }
            };
            check_slot(settings, out, &secret).await
        }
        Keys::Slot(SlotVerb::Remove { slot }) => remove_slot(settings, out, slot).await,
    }
}

async fn list(settings: &Settings, out: &Output) -> Result<Outcome, Failure> {
    let desk = Desk::open(settings, Verb::KeysList).await?;
    for header in desk.keys.headers() {
        out.object(&json!({
            "key": header.id.0, "purpose": header.purpose.name(), "subject": header.subject,
            "version": header.version, "state": header.state.name(),
            "created_at": header.created_at, "changed_at": header.changed_at,
        }));
        out.line(format!(
            "{:>4} {:<8} {:<30} v{:<3} {:<12} {}",
            header.id.0,
            header.purpose.name(),
            header.subject,
            header.version,
            header.state.name(),
            header.changed_at
        ));
    }
    for row in desk.vault.slots().await? {
        let slot = parse_slot(&row)?;
        out.object(&json!({
            "slot": row.slot, "kind": slot.kind.name(), "created_at": row.created_at,
            "opened_at": row.opened_at,
        }));
        let opened = row.opened_at.unwrap_or_else(|| "never".to_owned());
        out.line(format!("slot {} {:<14} checked {opened}", row.slot, slot.kind.name()));
    }
    out.next(&desk.caller.name, "sealift status");
    Ok(Outcome::Done)
}

/// A new version of a domain's data key; the old one only opens from now on.
async fn rotate(settings: &Settings, out: &Output, domain: &str) -> Result<Outcome, Failure> {
    let desk = Desk::open(settings, Verb::KeysRotate).await?;
    let old = desk
        .keys
        .headers()
        .iter()
        .filter(|h| h.purpose == KeyPurpose::Data && h.subject == domain)
        .filter(|h| h.state == KeyState::Active)
        .max_by_key(|header| header.version)
        .cloned()
        .ok_or_else(|| {
            Failure::failed(format!("there is no domain `{domain}` with a key"))
                .hint("`sealift keys list` lists them")
        })?;
    let at = now();
    let mut rng = OsRandom;
    let mut retired = old.clone();
    retired.state = old.state.after(KeyState::Deactivated).map_err(Failure::fault)?;
    retired.changed_at.clone_from(&at);
    let row = desk.vault.keys().await?.into_iter().find(|row| row.key == old.id.0);
    let wrapped = row.and_then(|row| row.wrapped).unwrap_or_default();
    let root = desk.keys.root();
    let rewrapped = root.rewrap(&old, &wrapped, root, &retired, &mut rng).map_err(not_wrapped)?;
    let mut fresh =
        KeyHeader::new(desk.keys.vault(), desk.keys.next_id(), KeyPurpose::Data, domain, &at);
    fresh.version = old.version + 1;
    let key = DataKey::generate(&mut rng);
    let new = root.wrap_key(&fresh, &key, &mut rng).map_err(not_wrapped)?;
    let mut draft = desk.draft("key_rotated", format!("domain {domain}"));
    draft.key_ids = vec![old.id.0, fresh.id.0];
    let changes =
        vec![Change::PutKey(key_row(&retired, rewrapped)), Change::PutKey(key_row(&fresh, new))];
    desk.commit(changes, draft).await?;
    out.object(&json!({"domain": domain, "key": fresh.id.0, "version": fresh.version}));
    out.line(format!(
        "new values of `{domain}` are sealed with key {} (version {})",
        fresh.id.0, fresh.version
    ));
    out.next(&desk.caller.name, "sealift keys list");
    Ok(Outcome::Done)
}

/// A new root key: every wrap is made anew, and every slot but the one in use has to be added again.
async fn rewrap(settings: &Settings, out: &Output) -> Result<Outcome, Failure> {
    let desk = Desk::open(settings, Verb::KeysRewrap).await?;
    let mut rng = OsRandom;
    let vault = desk.keys.vault();
    let root = RootKey::generate(&mut rng);
    let mut changes = vec![Change::PutKeyCheck(root.key_check(vault, &mut rng))];
    let mut ids = Vec::new();
    for row in desk.vault.keys().await? {
        let header = header_of(vault, &row)?;
        let Some(wrapped) = row.wrapped else { continue };
        let again = desk
            .keys
            .root()
            .rewrap(&header, &wrapped, &root, &header, &mut rng)
            .map_err(not_wrapped)?;
        ids.push(header.id.0);
        changes.push(Change::PutKey(key_row(&header, again)));
    }
    let slots = desk.vault.slots().await?;
    let mut lost = Vec::new();
    for row in slots {
        if row.slot == desk.slot {
            let old = parse_slot(&row)?;
            let slot = same_way(settings, &old, &root, &desk, &mut rng)?;
            let body = serde_json::to_string(&slot).map_err(Failure::fault)?;
            changes.push(Change::PutSlot(SlotRow { body, opened_at: None, ..row }));
        } else {
            lost.push(row.slot);
            changes.push(Change::RemoveSlot(row.slot));
        }
    }
    let mut draft = desk.draft("keys_rewrapped", "vault");
    draft.key_ids = ids;
    draft.counts.insert("slots_removed".into(), lost.len() as u64);
    // The ring that signs is the one whose keys were rewrapped: the keys themselves are the same.
    desk.commit(changes, draft).await?;
    out.object(&json!({"rewrapped": true, "slots_removed": lost}));
    out.line("every key is wrapped with a new root key");
    if !lost.is_empty() {
        out.line(format!("slots {lost:?} opened the old one and are removed"));
    }
    out.next(&desk.caller.name, "sealift keys slot add --recovery-file recovery-2.txt");
    Ok(Outcome::Done)
}

fn same_way(
    settings: &Settings,
    old: &Slot,
    root: &RootKey,
    desk: &Desk,
    rng: &mut OsRandom,
) -> Result<Slot, Failure> {
    use super::settings::Unlock;

    let vault = desk.keys.vault();
    match &settings.unlock {
        Unlock::Passphrase { file, environment } => {
            let passphrase = PassphraseSource::choose(file.clone(), environment.clone()).read()?;
            let params = old.argon2id.unwrap_or_default();
            Ok(tokio::task::block_in_place(|| {
                Slot::with_passphrase(old.id, root, vault, &passphrase, params, rng)
            })?)
        }
        Unlock::Recovery(file) => {
            let SlotSecret::RecoveryCode(code) = recovery_secret(file)? else {
                return Err(Failure::fault("the recovery file holds no recovery code"));
            };
            Ok(Slot::with_recovery_code(old.id, root, vault, &code, rng))
        }
        Unlock::KeyFile(file) => {
            let SlotSecret::KeyFile(key) = key_file_secret(file)? else {
                return Err(Failure::fault("the key file holds no key"));
            };
            Ok(Slot::with_key_file(old.id, root, vault, &key, rng))
        }
    }
}

/// A key whose wrap the root key does not open.
pub(super) fn not_wrapped(error: crate::crypto::UnwrapError) -> Failure {
    Failure::failed(error).hint("the vault's key rows were changed; compare with a backup")
}

enum New<'n> {
    Recovery(&'n Path),
    KeyFile(&'n Path),
    Passphrase(&'n Path),
}

async fn add_slot(settings: &Settings, out: &Output, new: &New<'_>) -> Result<Outcome, Failure> {
    let desk = Desk::open(settings, Verb::SlotAdd).await?;
    let mut rng = OsRandom;
    let (root, vault) = (desk.keys.root(), desk.keys.vault());
    let id = desk.vault.slots().await?.iter().map(|row| row.slot).max().unwrap_or(0) + 1;
    let slot = match new {
        New::Recovery(file) => {
            let code = RecoveryCode::generate(&mut rng);
            write_secret_file(file, &code.expose_text())?;
            Slot::with_recovery_code(id, root, vault, &code, &mut rng)
        }
        New::KeyFile(file) => {
            let key = KeyFile::generate(&mut rng);
            write_secret_file(file, &key.expose_text())?;
            Slot::with_key_file(id, root, vault, &key, &mut rng)
        }
        New::Passphrase(file) => {
            let text = read_secret_file(file)?;
            let passphrase = secrecy::SecretString::from(text.as_str());
            tokio::task::block_in_place(|| {
                Slot::with_passphrase(
                    id,
                    root,
                    vault,
                    &passphrase,
                    Argon2Params::default(),
                    &mut rng,
                )
            })?
        }
    };
    let body = serde_json::to_string(&slot).map_err(Failure::fault)?;
    let row = SlotRow { slot: id, body, created_at: now(), opened_at: None };
    let draft = desk.draft("slot_added", format!("slot {id} ({})", slot.kind.name()));
    desk.commit(vec![Change::PutSlot(row)], draft).await?;
    out.object(&json!({"slot": id, "kind": slot.kind.name()}));
    out.line(format!("slot {id} ({}) opens the vault", slot.kind.name()));
    out.next(&desk.caller.name, "sealift keys list");
    Ok(Outcome::Done)
}

async fn check_slot(
    settings: &Settings,
    out: &Output,
    secret: &SlotSecret,
) -> Result<Outcome, Failure> {
    let desk = Desk::open(settings, Verb::SlotCheck).await?;
    let header = desk.vault.header().await?;
    for row in desk.vault.slots().await? {
        let slot = parse_slot(&row)?;
        if slot.kind != secret.kind() {
            continue;
        }
        let Ok(root) = tokio::task::block_in_place(|| slot.open(header.vault, secret)) else {
            continue;
        };
        root.check(header.vault, &header.key_check).map_err(Failure::fault)?;
        let at = now();
        let draft = desk.draft("slot_checked", format!("slot {} ({})", row.slot, slot.kind.name()));
        desk.commit(vec![Change::SlotOpened { slot: row.slot, at: at.clone() }], draft).await?;
        out.object(&json!({"slot": row.slot, "kind": slot.kind.name(), "opened_at": at}));
        out.line(format!("slot {} ({}) opens the vault", row.slot, slot.kind.name()));
        let runs = desk.vault.runs().await?;
        let waiting = runs.iter().find(|row| row.phase == Phase::PurgeApproved);
        let (who, command) = match waiting {
            Some(row) => super::next::in_vault(desk.vault.as_ref(), row).await?,
            None => (desk.caller.name.clone(), "sealift status".to_owned()),
        };
        out.next(&who, &command);
        return Ok(Outcome::Done);
    }
    Err(Failure::failed(format!("this {} opens no slot of the vault", secret.kind().name()))
        .hint("`sealift keys slot add` adds a new one"))
}

async fn remove_slot(settings: &Settings, out: &Output, slot: u32) -> Result<Outcome, Failure> {
    let desk = Desk::open(settings, Verb::SlotRemove).await?;
    let slots = desk.vault.slots().await?;
    let row = slots.iter().find(|row| row.slot == slot).ok_or_else(|| {
        Failure::failed(format!("there is no slot {slot}")).hint("`sealift keys list` lists them")
    })?;
    if slot == desk.slot {
        return Err(Failure::refused("the slot that unlocked the vault cannot remove itself")
            .hint("unlock with another one: `--unlock-recovery-file` or `--unlock-key-file`"));
    }
    let kind: SlotKind = parse_slot(row)?.kind;
    let draft = desk.draft("slot_removed", format!("slot {slot} ({})", kind.name()));
    desk.commit(vec![Change::RemoveSlot(slot)], draft).await?;
    out.object(&json!({"slot": slot, "removed": true}));
    out.line(format!("slot {slot} ({}) is removed", kind.name()));
    out.next(&desk.caller.name, "sealift keys list");
    Ok(Outcome::Done)
}
