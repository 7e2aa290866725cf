//! The steps of a run, as people take them.

use serde_json::Value;

use super::desk::Desk;

/// The passes of `run`, by the phase that each ends in.
pub(crate) const PASSES: [&str; 4] = ["backed_up", "sealed", "rewritten", "verified"];

/// How many tokens a request carries at most under the policies of the tests.
const TOKENS_MAX: usize = 1_000;

/// Plans as Alice and approves as Bob; says the run's id.
pub(crate) fn plan_and_approve(desk: &Desk) -> String {
    let plan = desk.json(&["plan", "--policy", "shop.toml"]).done();
    assert_eq!(plan.last()["blocked"], Value::Bool(false), "{plan}");
    let run = plan.text("run");
    let approved = desk.json_as("bob", &["approve", &run]).done();
    assert_eq!(approved.text("phase"), "approved", "{approved}");
    run
}

/// Takes a run to a phase, step by step, as an operator would.
pub(crate) fn to_phase(desk: &Desk, phase: &str) -> String {
    if phase == "planned" {
        return desk.json(&["plan", "--policy", "shop.toml"]).done().text("run");
    }
    let run = plan_and_approve(desk);
    match phase {
        "approved" => {}
        "purge_approved" => {
            desk.run(&["run", &run]).done();
            desk.run_as("bob", &["approve", &run, "--purge"]).done();
        }
        phase => {
            desk.run(&["run", &run, "--until", phase]).done();
        }
    }
    let status = desk.json(&["status", &run]).done();
    assert_eq!(status.text("phase"), phase, "{status}");
    run
}

/// A run whose every cell was opened and compared.
pub(crate) fn verified(desk: &Desk) -> String {
    to_phase(desk, "verified")
}

/// Holds that each token opens, for Carol in support, to what it stands for.
#[track_caller]
pub(crate) fn tokens_open_to(desk: &Desk, domain: Option<&str>, pairs: &[(String, String)]) {
    for part in pairs.chunks(TOKENS_MAX) {
        let tokens: Vec<&str> = part.iter().map(|(token, _)| token.as_str()).collect();
        let mut arguments = vec!["--format", "json", "detokenize", "--purpose", "support_case"];
        arguments.extend(["--reason", "a comparison of all cells"]);
        if let Some(domain) = domain {
            arguments.extend(["--domain", domain]);
        }
        let answer = desk.tell_as("carol", &arguments, &tokens.join("\n")).done();
        let objects = answer.objects();
        assert_eq!(objects.len(), part.len(), "one answer a token");
        for ((token, value), object) in part.iter().zip(objects) {
            assert_eq!(object["token"].as_str(), Some(token.as_str()));
            assert_eq!(object["value"].as_str(), Some(value.as_str()), "of token {token}");
        }
    }
}
