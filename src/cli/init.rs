//! `sealift init`: a vault, its keys, a recovery code, its first caller.

use std::str::FromStr;

use serde_json::json;

use super::args::Init;
use super::desk::{OsRandom, caller_mac, key_row, now, parse_slot, stored_id};
use super::exit::{Failure, Outcome};
use super::output::Output;
use super::settings::{Settings, Unlock};
use crate::access::Role;
use crate::crypto::{
    Argon2Params, ControlKey, Credential, IndexKey, KeyHeader, KeyPurpose, KeyRing, LedgerSeed,
    RecoveryCode, RootKey, Slot, VaultId, WrappedKey,
};
use crate::keystore::{PassphraseSource, write_secret_file};
use crate::ledger::{Draft, SigningIdentity};
use crate::ports::{CallerRow, Change, SlotRow, VAULT_FORMAT, Vault, VaultHeader};

pub(super) async fn init(
    settings: &Settings,
    out: &Output,
    typed: Init,
) -> Result<Outcome, Failure> {
    Role::from_str(&typed.role)?;
    super::caller::checked_name(&typed.caller)?;
    let mut rng = OsRandom;
    let vault = VaultId::generate(&mut rng);
    let root = RootKey::generate(&mut rng);
    let params = Argon2Params {
        m_kib: typed.kdf_memory_mib.saturating_mul(1024),
        t: typed.kdf_passes,
        p: 4,
    };
    let passphrase = new_passphrase(&settings.unlock)?;
    let first = tokio::task::block_in_place(|| {
        Slot::with_passphrase(1, &root, vault, &passphrase, params, &mut rng)
    })?;
    let code = RecoveryCode::generate(&mut rng);
    let second = Slot::with_recovery_code(2, &root, vault, &code, &mut rng);
    let created_at = now();
    let (keys, seed) = first_keys(&root, vault, &created_at, &mut rng)?;
    let origin = format!("sealift.vault/{vault}");
    let identity = SigningIdentity::from_seed(&origin, seed.expose()).map_err(Failure::fault)?;
    let fingerprint = identity.verifier_key().fingerprint();
    let header = VaultHeader {
        vault,
        format: VAULT_FORMAT,
        created_at: created_at.clone(),
        key_check: root.key_check(vault, &mut rng),
        origin,
        verifier_key: identity.verifier_key().to_string(),
    };
    let credential = Credential::generate(&mut rng);
    // ORDER: secrets that are shown once are written before the vault exists, so that no vault
    // exists whose first credential nobody has.
    write_secret_file(&typed.credential_file, &credential.expose_text())?;
    if let Some(file) = &typed.recovery_file {
        let written = write_secret_file(file, &code.expose_text());
        if let Err(error) = written {
            let _ = std::fs::remove_file(&typed.credential_file);
            return Err(error.into());
        }
    }
    let store = match settings.create_vault(&header).await {
        Ok(store) => store,
        Err(error) => {
            forget_secrets(&typed);
            return Err(error);
        }
    };
    let unlocked = KeyRing::unlock(
        vault,
        root,
        keys.iter().map(|(header, wrapped)| (header.clone(), Some(wrapped.clone()))),
    )
    .map_err(Failure::fault)?;
    let caller = first_caller(&unlocked, &typed, &credential, &created_at);
    let slots = [first, second];
    let recorded = record(store.as_ref(), &unlocked, &keys, &slots, caller, &created_at).await;
    if let Err(failure) = recorded {
        // Only where it is certain that nothing was written: they may be the only way in.
        if store.slots().await.is_ok_and(|slots| slots.is_empty()) {
            forget_secrets(&typed);
        }
        return Err(failure);
    }
    if store.header().await?.vault != vault {
        return Err(Failure::failed("another `init` made a vault in the same place")
            .hint("nobody can open it: remove it, and let one `sealift init` run"));
    }
    tell(out, &typed, vault, &fingerprint, &code);
    Ok(Outcome::Done)
}

/// Removes the files with secrets of a vault that was not made.
fn forget_secrets(typed: &Init) {
    let _ = std::fs::remove_file(&typed.credential_file);
    if let Some(file) = &typed.recovery_file {
        let _ = std::fs::remove_file(file);
    }
}

fn new_passphrase(unlock: &Unlock) -> Result<secrecy::SecretString, Failure> {
    let Unlock::Passphrase { file, environment } = unlock else {
        return Err(Failure::failed("a new vault begins with a passphrase")
            .hint("further ways to unlock come with `sealift keys slot add`"));
    };
    Ok(PassphraseSource::choose(file.clone(), environment.clone()).read_new()?)
}

type Keys = Vec<(KeyHeader, Vec<u8>)>;

fn first_keys(
    root: &RootKey,
    vault: VaultId,
    now: &str,
    rng: &mut OsRandom,
) -> Result<(Keys, LedgerSeed), Failure> {
    fn wrapped<K: WrappedKey>(
        root: &RootKey,
        vault: VaultId,
        id: u32,
        now: &str,
        key: &K,
        rng: &mut OsRandom,
    ) -> Result<(KeyHeader, Vec<u8>), Failure> {
        let header = KeyHeader::new(vault, crate::crypto::KeyId(id), K::PURPOSE, "", now);
        let bytes = root.wrap_key(&header, key, rng).map_err(Failure::fault)?;
        Ok((header, bytes))
    }
    let seed = LedgerSeed::generate(rng);
    let keys = vec![
        wrapped(root, vault, 1, now, &ControlKey::generate(rng), rng)?,
        wrapped(root, vault, 2, now, &IndexKey::generate(rng), rng)?,
        wrapped(root, vault, 3, now, &seed, rng)?,
    ];
    debug_assert!(keys.iter().all(|(header, _)| header.purpose != KeyPurpose::Data));
    Ok((keys, seed))
}

fn first_caller(ring: &KeyRing, typed: &Init, credential: &Credential, now: &str) -> CallerRow {
    let mut row = CallerRow {
        name: typed.caller.clone(),
        role: typed.role.clone(),
        credential: stored_id(credential.id()),
        credential_hash: credential.stored_hash().to_vec(),
        approver_key: credential.approver_public().to_vec(),
        created_at: now.to_owned(),
        expires_at: None,
        revoked_at: None,
        mac: Vec::new(),
    };
    row.mac = caller_mac(ring, &row);
    row
}

async fn record(
    store: &dyn Vault,
    ring: &KeyRing,
    keys: &Keys,
    slots: &[Slot],
    caller: CallerRow,
    now: &str,
) -> Result<(), Failure> {
    let mut changes: Vec<Change> = keys
        .iter()
        .map(|(header, wrapped)| Change::PutKey(key_row(header, wrapped.clone())))
        .collect();
    let mut drafts = vec![Draft {
        actor: caller.name.clone(),
        action: "vault_created".to_owned(),
        object: "vault".to_owned(),
        key_ids: keys.iter().map(|(header, _)| header.id.0).collect(),
        ..Draft::default()
    }];
    for slot in slots {
        let body = serde_json::to_string(slot).map_err(Failure::fault)?;
        let row = SlotRow { slot: slot.id, body, created_at: now.to_owned(), opened_at: None };
        // What cannot be read back must not be the only way in.
        parse_slot(&row)?;
        changes.push(Change::PutSlot(row));
        drafts.push(Draft {
            actor: caller.name.clone(),
            action: "slot_added".to_owned(),
            object: format!("slot {} ({})", slot.id, slot.kind.name()),
            ..Draft::default()
        });
    }
    drafts.push(super::caller::added(&caller, &caller.name));
    changes.push(Change::PutCaller(caller));
    store.commit(changes, drafts).await?;
    crate::serve::checkpoint(store, ring).await?;
    Ok(())
}

fn tell(out: &Output, typed: &Init, vault: VaultId, fingerprint: &str, code: &RecoveryCode) {
    let mut object = json!({
        "vault": vault.to_string(),
        "fingerprint": fingerprint,
        "caller": typed.caller,
        "role": typed.role,
    });
    out.heading("The vault is made.");
    out.line(format!("  vault        {vault}"));
    out.line(format!("  fingerprint  {fingerprint}"));
    out.line("               of the key that signs the ledger; keep it where an auditor finds it");
    out.line(format!("  credential   {} ({})", typed.credential_file.display(), typed.caller));
    if let Some(file) = &typed.recovery_file {
        out.line(format!("  recovery     {} (a second way in; keep it apart)", file.display()));
    } else {
        let text = code.expose_text();
        object["recovery_code"] = json!(text.as_str());
        out.line(format!("  recovery     {}", text.as_str()));
        out.line("               shown this once: write it down and keep it apart");
    }
    out.object(&object);
    out.next(
        &typed.caller,
        "sealift caller add approver --role approver --credential-file approver.key",
    );
}
