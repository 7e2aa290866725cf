//! What the evidence supports in the words of rules: which control, how far, and where to look.
//!
//! It knows what a rule asks only as far as a database's evidence can answer it. It never says that a
//! rule is kept: who is assessed, and for what, no report of a run knows.

use schemars::JsonSchema;
use serde::Serialize;

use super::access::{ApprovalPart, PurposeLine};
use super::certificate::{Certificate, CertificateStatus};
use super::counts::{Reconciliation, VerificationPart};
use super::evidence::Evidence;
use crate::crypto::KeyState;
use crate::lifecycle::Event;
use crate::policy::{Form, TokenKind};

/// One control of one rule, and the evidence that supports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ControlLine {
    /// The rule: `GDPR`, `PCI DSS 4.0.1`.
    pub rule: &'static str,
    /// Which part of it.
    pub control: &'static str,
    /// What it asks for, as far as this evidence can speak to it.
    pub asks: &'static str,
    /// How far the evidence supports it.
    pub support: Support,
    /// What is missing, where something is.
    pub missing: Vec<String>,
    /// The sections of the report that hold the evidence, by their anchors.
    pub sections: Vec<&'static str>,
    /// The entries of the ledger that hold it; `proofs` shows that they are there.
    pub entries: Vec<u64>,
}

/// How far evidence supports a control. "Supports" is the most that is ever said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Support {
    /// There is evidence for all that is asked here.
    Supports,
    /// There is, with what is missing.
    Partly,
    /// There is none yet.
    NotYet,
}

impl Support {
    /// What readers call it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Supports => "supports",
            Self::Partly => "supports in part",
            Self::NotYet => "not yet",
        }
    }
}

/// Something that evidence is there for, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fact {
    Scope,
    Treated,
    Verified,
    Restorable,
    Purged,
    Approved,
    Access,
    Masked,
    Keys,
    Ledger,
    Leakage,
    Unlinkable,
}

use Fact as F;

/// A rule, the class of data that it is about (empty for any), and its controls.
type Rule = (&'static str, &'static str, &'static [(&'static str, &'static str, &'static [Fact])]);

/// The mapping. Each line is about evidence that a run can give; what an organisation has to do
/// besides stands in no line.
const RULES: [Rule; 5] = [
    (
        "GDPR",
        "",
        &[
            (
                "Art. 4(5)",
                "additional information is kept apart from pseudonymised data",
                &[F::Treated, F::Access, F::Keys],
            ),
            ("Art. 5(1)(b)", "personal data is used for declared purposes only", &[F::Access]),
            (
                "Art. 5(1)(c)",
                "what is not needed is not kept in the clear; what was left out is named",
                &[F::Scope, F::Treated],
            ),
            ("Art. 5(1)(e)", "originals are kept no longer than needed", &[F::Purged]),
            ("Art. 25", "protection by design and by default", &[F::Treated, F::Access]),
            ("Art. 30", "a record of what was processed, by whom and when", &[F::Scope, F::Ledger]),
            ("Art. 32(1)(a)", "pseudonymisation and encryption", &[F::Treated, F::Keys]),
            (
                "Art. 32(1)(b)",
                "integrity and confidentiality",
                &[F::Verified, F::Access, F::Ledger],
            ),
            ("Art. 32(1)(c)", "data can be restored", &[F::Restorable]),
            ("Art. 32(1)(d)", "measures are tested", &[F::Verified]),
            (
                "Art. 33",
                "who read what can be established after an incident",
                &[F::Access, F::Ledger],
            ),
            ("Art. 35", "figures for an assessment of what pseudonyms still show", &[F::Leakage]),
        ],
    ),
    (
        "PCI DSS 4.0.1",
        "payment",
        &[
            (
                "3.2.1",
                "account data is deleted when it is not needed, and that is verified",
                &[F::Purged],
            ),
            ("3.4.1", "a PAN is masked when it is displayed", &[F::Masked]),
            ("3.5.1", "a PAN is unreadable wherever it is stored", &[F::Treated, F::Purged]),
            ("3.5.1.2", "more than the encryption of a disk", &[F::Treated, F::Keys]),
            ("3.6.1", "keys are protected against disclosure", &[F::Keys]),
            ("3.7", "keys have a life, and it is on record", &[F::Keys, F::Ledger]),
            ("6.5.1", "a change of production is approved and tested", &[F::Approved, F::Verified]),
            ("7.2", "access by need to know, denied unless granted", &[F::Access]),
            ("10.2.1", "each access to cardholder data is logged", &[F::Access, F::Ledger]),
            ("10.3.2 – 10.3.4", "logs cannot be changed without notice", &[F::Ledger]),
            ("Tokenization guidelines", "tokens that do not follow from the PAN", &[F::Unlinkable]),
        ],
    ),
    (
        "HIPAA",
        "health",
        &[
            ("164.308(a)(7)(ii)(B)", "data can be restored", &[F::Restorable]),
            ("164.310(d)(2)(i)", "disposal of what held the originals", &[F::Purged]),
            ("164.312(a)(1)", "access only for who was granted it", &[F::Access]),
            ("164.312(a)(2)(iv)", "encryption and decryption", &[F::Treated, F::Keys]),
            ("164.312(b)", "audit controls", &[F::Access, F::Ledger]),
            ("164.312(c)(1)", "data is not altered improperly", &[F::Verified, F::Ledger]),
            ("164.316(b)(1)", "a written record of what was done", &[F::Ledger]),
            (
                "164.514(c)",
                "re-identification codes do not follow from the person",
                &[F::Unlinkable],
            ),
        ],
    ),
    (
        "ISO/IEC 27001:2022",
        "",
        &[
            ("A.5.15", "access control", &[F::Access]),
            ("A.8.10", "information deletion", &[F::Purged]),
            ("A.8.11", "data masking", &[F::Treated, F::Access]),
            ("A.8.12", "data leakage prevention", &[F::Scope, F::Leakage]),
            ("A.8.13", "information backup", &[F::Restorable]),
            ("A.8.15", "logging", &[F::Ledger]),
            ("A.8.24", "use of cryptography", &[F::Keys]),
            ("A.8.32", "change management", &[F::Approved, F::Verified]),
        ],
    ),
    (
        "SOC 2",
        "",
        &[
            ("CC6.1", "logical access is restricted", &[F::Access, F::Keys]),
            ("CC6.5", "data is made unreadable before its protection ends", &[F::Purged]),
            ("CC7.2", "what happens is recorded and can be watched", &[F::Ledger, F::Access]),
            ("CC8.1", "changes are authorised, tested and approved", &[F::Approved, F::Verified]),
            (
                "C1.1",
                "confidential information is identified and protected",
                &[F::Scope, F::Treated],
            ),
            ("C1.2", "confidential information is disposed of", &[F::Purged]),
            ("P4.3", "personal information is disposed of", &[F::Purged]),
        ],
    ),
];

/// What the parts of a report say of each fact.
pub(super) struct Parts<'r> {
    pub(super) evidence: &'r Evidence,
    pub(super) counts: &'r Reconciliation,
    pub(super) verification: &'r VerificationPart,
    pub(super) certificate: &'r Certificate,
    pub(super) approvals: &'r ApprovalPart,
    pub(super) access: &'r [PurposeLine],
}

/// What is known of one fact.
struct Known {
    support: Support,
    missing: Vec<String>,
    sections: &'static [&'static str],
    entries: Vec<u64>,
}

pub(super) fn list(parts: &Parts<'_>) -> Vec<ControlLine> {
    let has = |class: &str| {
        class.is_empty() || parts.evidence.plan.columns.iter().any(|column| column.class == class)
    };
    let rules = RULES.iter().filter(|(_, class, _)| has(class));
    rules
        .flat_map(|(rule, class, controls)| {
            controls.iter().map(move |(control, asks, facts)| {
                let known = facts.iter().map(|fact| parts.known(*fact, class));
                line(rule, control, asks, known)
            })
        })
        .collect()
}

fn line(
    rule: &'static str,
    control: &'static str,
    asks: &'static str,
    known: impl Iterator<Item = Known>,
) -> ControlLine {
    let (mut all_not_yet, mut worst) = (true, Support::Supports);
    let (mut missing, mut sections, mut entries) = (Vec::new(), Vec::new(), Vec::new());
    for fact in known {
        all_not_yet &= fact.support == Support::NotYet;
        worst = worst.max(fact.support);
        missing.extend(fact.missing);
        sections.extend(
            fact.sections.iter().filter(|it| !sections.contains(*it)).copied().collect::<Vec<_>>(),
        );
        entries.extend(fact.entries);
    }
    // Half of what is asked is something: only where nothing is there yet, nothing is said.
    let support = match worst {
        Support::NotYet if !all_not_yet => Support::Partly,
        worst => worst,
    };
    entries.sort_unstable();
    entries.dedup();
    ControlLine { rule, control, asks, support, missing, sections, entries }
}

impl Parts<'_> {
    /// What is known of a fact, for columns of `class`, or of all where it is empty.
    fn known(&self, fact: Fact, class: &str) -> Known {
        match fact {
            Fact::Scope => self.done(&["planned"], &["scope", "coverage", "plan"], self.copies()),
            Fact::Treated => {
                let gap = (self.counts.reconciles == Some(false))
                    .then(|| "the counts of cells do not add up".to_owned());
                let waiting = self.counts.quarantine.iter().any(|row| row.state != "replayed");
                let gap =
                    gap.or_else(|| waiting.then(|| "rows in quarantine keep originals".into()));
                self.done(
                    &[Event::Sealed.name(), Event::Rewritten.name()],
                    &["scope", "counts"],
                    gap,
                )
            }
            Fact::Verified => {
                let gap = (self.verification.passed == Some(false))
                    .then(|| "the last verification found a mismatch".to_owned());
                self.done(&[Event::Verified.name()], &["verification"], gap)
            }
            Fact::Restorable => {
                self.done(&[Event::BackedUp.name(), Event::Sealed.name()], &["verification"], None)
            }
            Fact::Purged => self.purged(),
            Fact::Approved => self.approved(),
            Fact::Access => self.access(),
            Fact::Masked => self.masked(class),
            Fact::Keys => self.keys(),
            Fact::Ledger => self.ledger(),
            Fact::Leakage => self.leakage(),
            Fact::Unlinkable => self.unlinkable(class),
        }
    }

    /// A fact that is there once the ledger has these entries.
    fn done(
        &self,
        actions: &[&str],
        sections: &'static [&'static str],
        gap: Option<String>,
    ) -> Known {
        let entries: Vec<u64> = actions
            .iter()
            .filter_map(|action| self.evidence.entries.iter().rfind(|it| it.action == *action))
            .map(|entry| entry.seq)
            .collect();
        let support = match (&gap, entries.len() == actions.len()) {
            (_, false) => Support::NotYet,
            (Some(_), true) => Support::Partly,
            (None, true) => Support::Supports,
        };
        let missing = match support {
            Support::NotYet => {
                vec![format!("the run is not {} yet", actions.join(" and ").replace('_', " "))]
            }
            Support::Partly | Support::Supports => gap.into_iter().collect(),
        };
        Known { support, missing, sections, entries }
    }

    fn always(sections: &'static [&'static str], missing: Vec<String>) -> Known {
        let support = if missing.is_empty() { Support::Supports } else { Support::Partly };
        Known { support, missing, sections, entries: Vec::new() }
    }

    fn copies(&self) -> Option<String> {
        (!self.certificate.uncovered_copies.is_empty())
            .then(|| "originals stand in columns outside the policy".to_owned())
    }

    fn purged(&self) -> Known {
        let gap = match self.certificate.status {
            CertificateStatus::Clean => None,
            _ => Some(format!("the certificate says {}", self.certificate.word)),
        };
        let mut known = self.done(&[Event::Purged.name()], &["certificate", "originals"], gap);
        if known.support != Support::NotYet {
            known.support = Support::Partly;
            known.missing.push("the medium below the file system is never covered".to_owned());
        }
        known
    }

    fn approved(&self) -> Known {
        let mut missing = Vec::new();
        if self.approvals.plan_required == 0 {
            missing.push("the policy asks for no approval of the plan".to_owned());
        }
        let signed = |action: &str| self.evidence.entries.iter().rfind(|it| it.action == action);
        let entries: Vec<u64> = [Event::Approved.name(), Event::PurgeApproved.name()]
            .into_iter()
            .filter_map(signed)
            .map(|entry| entry.seq)
            .collect();
        let is_there = !self.approvals.signatures.is_empty();
        let support = match (is_there, missing.is_empty()) {
            (false, true) => Support::NotYet,
            (_, false) => Support::Partly,
            (true, true) => Support::Supports,
        };
        if support == Support::NotYet {
            missing.push("nobody has signed yet".to_owned());
        }
        Known { support, missing, sections: &["approvals"], entries }
    }

    fn access(&self) -> Known {
        let passes = self.access.iter().filter(|purpose| purpose.passes_originals);
        let mut missing: Vec<String> = passes
            .map(|purpose| format!("purpose `{}` returns originals as they are", purpose.name))
            .collect();
        let unreviewed: u64 = self.access.iter().map(|purpose| purpose.used.unreviewed).sum();
        if unreviewed > 0 {
            missing.push("uses for emergencies wait for a review".to_owned());
        }
        Self::always(&["access"], missing)
    }

    fn masked(&self, class: &str) -> Known {
        let plain = self.access.iter().filter(|purpose| {
            purpose.show.iter().any(|(what, form)| what == class && *form == Form::Plain)
        });
        Self::always(
            &["access"],
            plain.map(|purpose| format!("purpose `{}` shows values whole", purpose.name)).collect(),
        )
    }

    fn keys(&self) -> Known {
        let compromised = self.evidence.keys.iter().any(|key| key.state == KeyState::Compromised);
        let missing = compromised.then(|| "a key is compromised".to_owned());
        let mut known = Self::always(&["keys"], missing.into_iter().collect());
        if self.evidence.keys.is_empty() {
            known.support = Support::NotYet;
            known.missing.push("no key is on record yet".to_owned());
        }
        known
    }

    fn ledger(&self) -> Known {
        let mut missing = Vec::new();
        if self.evidence.anchors.is_empty() {
            missing.push("no checkpoint was anchored outside the vault".to_owned());
        }
        let mut known = Self::always(&["timeline", "verify"], missing);
        if self.evidence.proofs.is_none() {
            known.support = Support::NotYet;
            known.missing.push("no checkpoint was signed yet".to_owned());
        }
        known
    }

    fn leakage(&self) -> Known {
        let waived = self.evidence.plan.columns.iter().filter(|column| !column.waived.is_empty());
        let missing = waived
            .map(|column| format!("the leakage gate of `{}` is waived", column.name))
            .collect();
        Self::always(&["leakage"], missing)
    }

    fn unlinkable(&self, class: &str) -> Known {
        let derived = self
            .evidence
            .plan
            .columns
            .iter()
            .filter(|column| column.class == class && column.token != TokenKind::Random);
        let missing = derived
            .map(|column| format!("the tokens of `{}` are derived from its values", column.name));
        Self::always(&["scope", "leakage"], missing.collect())
    }
}
