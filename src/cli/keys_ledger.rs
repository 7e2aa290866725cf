//! `sealift keys rotate --ledger`: a new key that signs the ledger, introduced by the old one.

use serde_json::json;

use super::desk::{Desk, OsRandom, key_row, now, ring};
use super::exit::{Failure, Outcome};
use super::keys::not_wrapped;
use super::output::Output;
use super::settings::Settings;
use crate::access::Verb;
use crate::crypto::{KeyHeader, KeyPurpose, KeyState, LedgerSeed};
use crate::ledger::{KEY_REPLACED, SigningIdentity, Succession};
use crate::ports::{Change, KeyRow};
use crate::serve::checkpoint;

pub(super) async fn rotate(settings: &Settings, out: &Output) -> Result<Outcome, Failure> {
    let desk = Desk::open(settings, Verb::KeysRotateLedger).await?;
    let vault = desk.vault.as_ref();
    let old = desk
        .keys
        .headers()
        .iter()
        .filter(|header| header.purpose == KeyPurpose::Ledger && header.state == KeyState::Active)
        .max_by_key(|header| header.version)
        .cloned()
        .ok_or_else(|| Failure::malformed("the ledger's key"))?;
    // ORDER: the old key signs all that was before, while it is there.
    checkpoint(vault, &desk.keys).await?;
    let at = now();
    let mut rng = OsRandom;
    // A key that signed and does not any more opens nothing: it is destroyed, so that nobody can
    // sign another history with it.
    let mut retired = old.clone();
    for state in [KeyState::Deactivated, KeyState::Destroyed] {
        retired.state = retired.state.after(state).map_err(Failure::fault)?;
    }
    retired.changed_at.clone_from(&at);
    let mut fresh =
        KeyHeader::new(desk.keys.vault(), desk.keys.next_id(), KeyPurpose::Ledger, "", &at);
    fresh.version = old.version + 1;
    let seed = LedgerSeed::generate(&mut rng);
    let wrapped = desk.keys.root().wrap_key(&fresh, &seed, &mut rng).map_err(not_wrapped)?;
    let origin = vault.header().await?.origin;
    let identity = |seed: &LedgerSeed| SigningIdentity::from_seed(&origin, seed.expose());
    let before = identity(desk.keys.ledger()).map_err(Failure::fault)?;
    let after = identity(&seed).map_err(Failure::fault)?;
    let mut draft = desk.draft(KEY_REPLACED, "ledger");
    draft.key_ids = vec![old.id.0, fresh.id.0];
    draft.details.extend(Succession::sign(&before, &after));
    let changes = vec![
        Change::PutKey(KeyRow { wrapped: None, ..key_row(&retired, Vec::new()) }),
        Change::PutKey(key_row(&fresh, wrapped)),
        Change::PutVerifierKey(after.verifier_key().to_string()),
    ];
    vault.commit(changes, vec![draft]).await?;
    let keys = ring(vault, desk.keys.root().duplicate()).await?;
    checkpoint(vault, &keys).await?;
    let (was, is) = (before.verifier_key().fingerprint(), after.verifier_key().fingerprint());
    out.object(
        &json!({"key": fresh.id.0, "version": fresh.version, "fingerprint": is, "before": was}),
    );
    out.line(format!("the ledger is signed by a new key with the fingerprint {is}"));
    out.line(format!("who knows the old one ({was}) is led from it to the new one"));
    out.next("an auditor", &format!("sealift ledger verify ledger/ --key {was}"));
    Ok(Outcome::Done)
}
