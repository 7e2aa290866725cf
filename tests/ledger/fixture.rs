//! A ledger of invented events, its export, and the verifier in Python to ask for a second opinion.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use sealift::ledger::{
    Checkpoint, Draft, Entered, Entry, Export, Head, KEY_REPLACED, KeyChain, ProofBundle,
    SigningIdentity, Succession, Verdict, VerifierKey,
};
use serde_json::json;

pub(super) const SEED: [u8; 32] = [7; 32];
pub(super) const ORIGIN: &str = "sealift.example/vault-1";

/// A ledger as a vault would hold it.
pub(super) struct Ledger {
    pub(super) identity: SigningIdentity,
    pub(super) head: Head,
    pub(super) entered: Vec<Entered>,
    pub(super) notes: Vec<String>,
    /// The keys that were told to the reader, oldest first.
    pub(super) keys: Vec<VerifierKey>,
}

pub(super) fn draft(number: u64, story: &str) -> Draft {
    Draft {
        at: format!("2026-01-31T09:{:02}:{:02}.5Z", number / 60 % 60, number % 60),
        actor: "alice".to_owned(),
        action: "detokenize".to_owned(),
        object: format!("domain `email`, {story} {number}"),
        purpose: Some("support_case".to_owned()),
        counts: BTreeMap::from([("permitted".to_owned(), number), ("refused".to_owned(), 1)]),
        key_ids: vec![1, 2],
        details: BTreeMap::from([("reason_hash".to_owned(), json!("ab".repeat(32)))]),
        tool: "sealift 0.1.0".to_owned(),
        ..Draft::default()
    }
}

impl Ledger {
    /// Tells `story` in `size` entries, and signs a checkpoint at each of `signed_at`.
    pub(super) fn of(story: &str, size: u64, signed_at: &[u64]) -> Self {
        let identity = SigningIdentity::from_seed(ORIGIN, &SEED).unwrap();
        let mut ledger = Self {
            keys: vec![identity.verifier_key()],
            identity,
            head: Head::new(),
            entered: Vec::new(),
            notes: Vec::new(),
        };
        for number in 0..=size {
            if signed_at.contains(&number) {
                ledger.sign();
            }
            if number < size {
                let entered = ledger.head.enter(draft(number, story)).unwrap();
                ledger.entered.push(entered);
            }
        }
        ledger
    }

    pub(super) fn sign(&mut self) {
        let (size, root) = (self.head.size(), self.head.root());
        self.notes.push(Checkpoint::sign(&self.identity, size, root).unwrap());
    }

    /// Another key signs from now on, and the old one says so.
    pub(super) fn rotate(&mut self, seed: [u8; 32]) {
        let new = SigningIdentity::from_seed(ORIGIN, &seed).unwrap();
        let mut draft = draft(0, "rotation");
        KEY_REPLACED.clone_into(&mut draft.action);
        draft.details = Succession::sign(&self.identity, &new);
        self.entered.push(self.head.enter(draft).unwrap());
        self.keys.push(new.verifier_key());
        self.identity = new;
    }

    /// The chain of the keys that the entries tell of.
    pub(super) fn chain(&self) -> KeyChain {
        let entries: Vec<Entry> = self.entered.iter().map(|it| it.entry.clone()).collect();
        KeyChain::through(&entries, self.identity.verifier_key())
    }

    /// Proves entries under the newest note.
    pub(super) fn proof(&self, wanted: &[u64], since: Option<&str>) -> ProofBundle {
        let note = self.notes.last().unwrap();
        ProofBundle::of(&self.lines(), &self.chain(), note, wanted, since).unwrap()
    }

    pub(super) fn lines(&self) -> Vec<Vec<u8>> {
        self.entered.iter().map(|entered| entered.bytes.clone()).collect()
    }

    pub(super) fn export(&self) -> Export {
        self.export_of(&self.lines())
    }

    /// The ledger's export, with `lines` in the place of its entries.
    pub(super) fn export_of(&self, lines: &[Vec<u8>]) -> Export {
        let (newest, earlier) = self.notes.split_last().unwrap();
        let export = Export::new(
            lines.iter().map(Vec::as_slice),
            &self.head,
            newest,
            earlier,
            &self.identity.verifier_key().into(),
        );
        let keys = self.keys.iter().flat_map(|key| [key.to_string(), "\n".to_owned()]);
        let keys: String = keys.collect();
        with_file(&export, Export::PUBLIC_KEY, keys)
    }

    pub(super) fn fingerprint(&self) -> String {
        self.identity.verifier_key().fingerprint()
    }
}

/// `export` with one file replaced.
pub(super) fn with_file(export: &Export, name: &str, bytes: impl Into<Vec<u8>>) -> Export {
    let mut files = export.files().clone();
    files.insert(name.to_owned(), bytes.into());
    Export::from_files(files)
}

/// Checks with both verifiers, and insists that they say the same, letter for letter.
pub(super) fn judge(export: &Export, key: Option<&str>, since: Option<&str>) -> Verdict {
    let verdict = export.check(key, since).unwrap();
    let (code, said) = ask_python(export, key, since);
    assert_eq!(verdict.to_string(), said, "the two verifiers differ");
    assert_eq!(code, i32::from(!verdict.is_consistent()));
    verdict
}

/// As [`judge`], of a proof.
pub(super) fn judge_proof(proof: &ProofBundle, key: Option<&str>, since: Option<&str>) -> Verdict {
    let folder = tempfile::tempdir().unwrap();
    let (script, path) = (folder.path().join("verify.py"), folder.path().join("proof.json"));
    fs::write(&script, &Ledger::of("any", 0, &[0]).export().files()[Export::VERIFIER]).unwrap();
    fs::write(&path, proof.to_json()).unwrap();
    let verdict = proof.check(key, since).unwrap();
    let (code, said) = ask(&script, &path, key, since);
    assert_eq!(verdict.to_string(), said, "the two verifiers differ");
    assert_eq!(code, i32::from(!verdict.is_consistent()));
    verdict
}

/// Runs the `verify.py` of the export on its files. Returns the exit code and what it printed.
pub(super) fn ask_python(export: &Export, key: Option<&str>, since: Option<&str>) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in export.files() {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    ask(&folder.path().join(Export::VERIFIER), folder.path(), key, since)
}

fn ask(script: &Path, what: &Path, key: Option<&str>, since: Option<&str>) -> (i32, String) {
    let mut command = Command::new("python3");
    command.arg(script).arg(what);
    command.env("PYTHONIOENCODING", "utf-8").env("PYTHONDONTWRITEBYTECODE", "1");
    if let Some(key) = key {
        command.args(["--key", key]);
    }
    if let Some(note) = since {
        let path = script.with_file_name("kept.txt");
        fs::write(&path, note).unwrap();
        command.arg("--since").arg(path);
    }
    let output = command.output().expect("these tests need python3 on the PATH");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(!complaints.contains("Traceback"), "{complaints}");
    (output.status.code().unwrap(), said)
}
