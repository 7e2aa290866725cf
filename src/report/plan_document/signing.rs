//! Who signs a document, how, and how anybody checks that it is the one that was signed.

use serde::{Deserialize, Serialize};

use super::head::DocumentState;
use super::{PlanFacts, PlanHead, counted};

/// Who signs, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningPart {
    /// Signatures that the plan needs.
    pub needed: u32,
    /// Signatures that the purge will need.
    pub needed_for_purge: u32,
    /// Who may sign.
    pub who: String,
    /// What the signature covers.
    pub covers: String,
    /// What to type, in order.
    pub steps: Vec<SigningStep>,
}

/// One thing to type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningStep {
    /// Who.
    pub who: String,
    /// What it is for.
    pub shows: String,
    /// The command.
    pub command: String,
}

impl SigningPart {
    pub(super) fn of(facts: &PlanFacts<'_>) -> Self {
        let approval = &facts.policy.approval;
        let state = PlanHead::of(facts).state;
        let who = match approval.plan {
            0 => "the policy asks for no signature: whoever planned may run".to_owned(),
            needed => format!(
                "{} with the role `approver`, none of them who planned it",
                counted(u64::from(needed), "caller")
            ),
        };
        Self {
            needed: approval.plan,
            needed_for_purge: approval.purge,
            who,
            covers: "vault, source, policy, catalog, findings, units of work and this document, \
                     byte for byte; where the catalog or the policy changes, it is void"
                .to_owned(),
            steps: match facts.recorded {
                Some(recorded) if state == DocumentState::Recorded => {
                    recorded_steps(&recorded.run.to_string(), recorded.planned_by)
                }
                _ => unrecorded_steps(state),
            },
        }
    }
}

fn recorded_steps(run: &str, planned_by: &str) -> Vec<SigningStep> {
    let step = |who: &str, shows: &str, command: String| SigningStep {
        who: who.to_owned(),
        shows: shows.to_owned(),
        command,
    };
    vec![
        step(
            "anybody",
            "the hash of the file that you have read; it has to be the one that `plan` printed",
            "sha256sum plan.html".to_owned(),
        ),
        step(
            "an approver",
            "signs this document and no other: a file that differs by one byte is refused",
            format!("sealift approve {run} --document plan.html"),
        ),
        step(
            "anybody",
            "makes the document again from what is on record, to compare",
            format!("sealift plan --reissue {run} --output again.html"),
        ),
        step(planned_by, "starts the run once enough have signed", format!("sealift run {run}")),
    ]
}

fn unrecorded_steps(state: DocumentState) -> Vec<SigningStep> {
    let shows = match state {
        DocumentState::Blocked => {
            "after what blocks has been dealt with: records the plan and writes a document that \
             can be signed"
        }
        DocumentState::DryRun | DocumentState::Recorded => {
            "records the plan and writes a document that can be signed"
        }
    };
    vec![SigningStep {
        who: "a steward".to_owned(),
        shows: shows.to_owned(),
        command: "sealift plan --policy FILE --output plan.html".to_owned(),
    }]
}
