//! Ways in beside HTTP by hand: the command line, the library, the demo; and who changes purposes.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sealift::{Client, ClientError, Vault};
use serde_json::{Value, json};

use super::desk::{credential, desk, email, requests, token};
use crate::support::{Desk, PASSPHRASE, Server};

/// A policy with one purpose more, and another one changed.
fn changed_policy(desk: &Desk, signatures: u32) {
    let policy = fs::read_to_string(desk.path("people.toml")).unwrap();
    let changed = policy
        .replace("plan  = 0", &format!("plan  = {signatures}"))
        .replace("max_tokens_per_day     = 5", "max_tokens_per_day     = 7");
    let more = "\n[[purpose]]\nname  = \"audit_call\"\nroles = [\"support\"]\n\
                show  = { contact = \"masked\" }\n";
    desk.write("changed.toml", &(changed + more));
}

#[test]
fn purposes_change_when_an_approver_has_signed_and_count_at_once() {
    let desk = desk();
    let server = Server::start(&desk);
    let carol = credential(&desk, "carol");
    let one = token(&desk, "email", 1);
    changed_policy(&desk, 1);
    let asks = || server.detokenize(&carol, "audit_call", &[&one]);

    desk.run_as("bob", &["policy", "apply", "--policy", "changed.toml"])
        .fails(3, &["policy apply"]);
    let nothing = ["approve", "--policy", "changed.toml"];
    desk.run_as("bob", &nothing).fails(3, &["nobody has proposed"]);
    let proposed = desk.run(&["policy", "apply", "--policy", "changed.toml"]).done();
    proposed.clone().mentions(&["+ purpose `audit_call`", "~ purpose `few`", "5 -> 7"]);
    assert!(!proposed.stdout.contains("`support_case`"), "what stays is not shown: {proposed}");
    asks().fails(403, "purpose_denied");
    desk.run(&nothing).fails(3, &["approve"]);

    // Another file than the one that was proposed is nobody's proposal.
    let policy = fs::read_to_string(desk.path("changed.toml")).unwrap();
    desk.write("other.toml", &policy.replace("\"masked\"", "\"plain\""));
    desk.run_as("bob", &["approve", "--policy", "other.toml"]).fails(3, &["nobody has proposed"]);
    desk.run_as("bob", &nothing).done().mentions(&["in force"]);

    let applied = Instant::now();
    while asks().status != 200 {
        assert!(applied.elapsed() < Duration::from_secs(1), "it is not in force yet");
    }
    assert_eq!(asks().results()[0]["value"], "p***@***.com");
    let history = desk.run_as("dave", &["policy", "history"]).done();
    history.mentions(&["policy_applied", "bob", "in force: `audit_call`"]);
    desk.run(&["policy", "apply", "--policy", "changed.toml"])
        .done()
        .mentions(&["nothing to apply"]);

    let gone = ["policy", "apply", "--policy", "people.toml", "--remove", "audit_call"];
    desk.run(&gone).done().mentions(&["- purpose `audit_call`", "in force"]);
    let removed = Instant::now();
    while asks().status == 200 {
        assert!(removed.elapsed() < Duration::from_secs(1), "it is in force still");
    }
}

#[test]
fn a_proposal_needs_as_many_signatures_as_its_policy_says_and_holds_for_what_was_in_force() {
    let desk = desk();
    changed_policy(&desk, 2);
    let add = ["caller", "add", "erin", "--role", "approver", "--credential-file", "erin.key"];
    desk.run(&add).done();
    desk.run(&["policy", "apply", "--policy", "changed.toml"]).done();

    let sign = ["approve", "--policy", "changed.toml"];
    desk.run_as("bob", &sign).done().mentions(&["1 of 2"]);
    desk.run_as("bob", &sign).done().mentions(&["1 of 2"]);
    // What was in force changes meanwhile: the signatures are for something else.
    desk.write(
        "meanwhile.toml",
        &fs::read_to_string(desk.path("people.toml"))
            .unwrap()
            .replace("max_tokens_per_request = 3", "max_tokens_per_request = 4"),
    );
    desk.run(&["policy", "apply", "--policy", "meanwhile.toml"]).done().mentions(&["3 -> 4"]);
    desk.run_as("erin", &sign).fails(3, &["nobody has proposed"]);
    desk.run(&["policy", "apply", "--policy", "changed.toml"]).done();
    desk.run_as("bob", &sign).done().mentions(&["1 of 2"]);
    desk.run_as("erin", &sign).done().mentions(&["in force"]);
}

#[test]
fn a_policy_is_explained_in_words_without_a_vault() {
    let desk = desk();
    let mut command = desk.command(&["policy", "explain", "people.toml"]);
    command.env_remove("SEALIFT_VAULT").env_remove("SEALIFT_PASSPHRASE");
    desk.finish(command, "").done().mentions(&[
        "`people.diagnosis` is `health`, in domain `diagnosis`: shown for `emergency`",
        "A request of more than 2 needs an unlock",
        "For `lookup`, callers with the role `support` may `search`.",
        "which token stands for a value",
        "One caller gets 5 a day.",
        "What is no token comes back as it was sent",
    ]);
}

#[test]
fn the_access_report_puts_what_was_asked_beside_what_is_declared() {
    let desk = desk();
    let one = token(&desk, "email", 1);
    let ask = |purpose: &str| {
        desk.run_as("carol", &["detokenize", "--purpose", purpose, "--reason", "r", &one])
    };
    ask("support_case").done();
    ask("support_case").done();
    ask("campaign").ends(3);

    let report = desk.json_as("dave", &["access", "report"]).done();

    let find = |name: &str| {
        let objects = report.objects();
        objects.into_iter().find(|object| object["purpose"] == name).unwrap()
    };
    let support = find("support_case");
    assert_eq!(support["requests"], 2);
    assert_eq!(support["callers"], json!({"carol": 2}));
    let domains = support["domains"].as_array().unwrap();
    let asked = |name: &str| domains.iter().find(|domain| domain["domain"] == name).unwrap();
    assert_eq!(asked("email")["asked"], 2);
    assert_eq!(asked("pan")["asked"], 0);
    assert_eq!(find("campaign")["refused"], 1);
    let by = |of: &Value, role: &str| {
        let roles = of["used_by"].as_array().unwrap().clone();
        roles.into_iter().find(|line| line["role"] == role).unwrap()
    };
    assert_eq!(by(&support, "support")["domains"], json!({"email": 2}));
    let campaign = find("campaign");
    assert_eq!(by(&campaign, "support")["declared"], false, "he was refused");
    assert_eq!(by(&campaign, "marketing")["requests"], 0, "declared, and never used");
    let text = desk.run_as("dave", &["access", "report"]).done();
    text.mentions(&[
        "never read",
        "domain `diagnosis`: nobody has asked for it",
        "role `marketing`: never used it",
        "role `support`, which the purpose does not name: 1 requests, 1 refused",
    ]);
    desk.run_as("carol", &["access", "report"]).fails(3, &["access report"]);
}

#[test]
fn search_by_the_command_line_answers_as_the_service_does() {
    let desk = desk();
    let search = |domain: &str, values: &str| {
        let arguments = ["search", "--purpose", "lookup", "--reason", "r", "--domain", domain];
        desk.tell_as("carol", &arguments, values)
    };
    let there = token(&desk, "email", 4);

    let answer = search("email", &format!("{}\nnobody@example.com", email(4))).ends(1);
    assert_eq!(answer.stdout, format!("{there}\n\n"));
    search("email", "nobody@example.com").ends(3);
    search("nick", "nick 1").fails(2, &["cannot be searched"]);
    assert_eq!(requests(&desk).last().unwrap()["action"], "search");
}

#[test]
fn the_client_asks_the_service_and_says_why_not() {
    let desk = desk();
    let server = Server::start(&desk);
    let url = format!("http://{}", server.address());
    let one = token(&desk, "email", 1);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let client = Client::new(&url, credential(&desk, "carol").into()).unwrap();
        let opened = client.detokenize("support_case", "r", &[&one, "nonsense"]).await.unwrap();
        assert_eq!(opened[0].as_text(), Some(email(1).as_str()));
        assert!(opened[1].is_refused());
        let tokens = client.tokenize("email", "support_case", "r", &[&email(1)]).await.unwrap();
        assert_eq!(tokens, [one.as_str()]);
        let found = client.search("email", "lookup", "r", &[&email(1), "nobody"]).await.unwrap();
        assert_eq!(found, [Some(one.clone()), None]);
        let refused = client.detokenize("campaign", "r", &[&one]).await.unwrap_err();
        let ClientError::Answered { status: 403, ref code, .. } = refused else {
            panic!("{refused}")
        };
        assert_eq!(code, "purpose_denied");
        assert!(!refused.is_passing());
        assert!(!format!("{client:?} {opened:?}").contains("nowhere"));
        assert!(
            Client::new("http://vault.example.com", "x".into()).is_err(),
            "values in the clear"
        );
    });
}

#[test]
fn a_program_opens_the_vault_itself_and_is_recorded_alike() {
    let desk = desk();
    let url = format!("sqlite:{}", desk.vault().display());
    let one = token(&desk, "email", 1);
    let carol = credential(&desk, "carol");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let vault = Vault::open(&url, &PASSPHRASE.into(), &carol.clone().into()).await.unwrap();
        let opened = vault.detokenize("support_case", "r", &[&one]).await.unwrap();
        assert_eq!(opened[0].as_text(), Some(email(1).as_str()));
        assert!(vault.detokenize("campaign", "r", &[&one]).await.is_err());
        // Keys change while it is open: what is sealed under the new one opens too.
        desk.run(&["keys", "rotate", "email"]).done();
        let made = vault.tokenize("email", "support_case", "r", &["later@example.com"]).await;
        let made = made.unwrap();
        let found = vault.search("email", "lookup", "r", &["later@example.com", "nobody"]).await;
        assert_eq!(found.unwrap(), [Some(made[0].clone()), None]);
        let opened = vault.detokenize_in("email", "support_case", "r", &[&made[0]]).await.unwrap();
        assert_eq!(opened[0].as_text(), Some("later@example.com"));
        desk.run(&["keys", "rewrap"]).done();
        let stale = vault.detokenize("support_case", "r", &[&one]).await.unwrap_err();
        assert!(stale.to_string().contains("open it again"), "{stale}");
        assert!(Vault::open(&url, &"wrong words".into(), &carol.into()).await.is_err());
    });
    let actions: Vec<Value> =
        requests(&desk).into_iter().map(|entry| entry["action"].clone()).collect();
    assert_eq!(actions, ["detokenize", "detokenize_refused", "tokenize", "search", "detokenize"]);
}

#[test]
fn the_demo_prints_lines_of_curl_that_work_and_one_that_is_refused() {
    let desk = Desk::bare();
    let mut command = desk.command(&[
        "--format",
        "json",
        "demo",
        "--customers",
        "60",
        "--keep",
        "tour",
        "--serve",
        "--listen",
        "127.0.0.1:0",
    ]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let said: Value = serde_json::from_str(&line.unwrap()).unwrap();
        if said.get("curl").is_some() {
            let is_last = said["refused"] == true;
            lines.push(said);
            if is_last {
                break;
            }
        }
    }
    let answers: Vec<(bool, Value)> = lines
        .iter()
        .map(|line| {
            let curl = line["curl"].as_str().unwrap();
            let output = Command::new("sh").args(["-c", curl]).output().unwrap();
            let answer = serde_json::from_slice(&output.stdout)
                .unwrap_or_else(|error| panic!("{error}: {curl}: {output:?}"));
            (line["refused"] == true, answer)
        })
        .collect();
    child.kill().unwrap();
    child.wait().unwrap();

    assert_eq!(answers.len(), 3, "one for each purpose, and one that is refused: {lines:?}");
    for (is_refused, answer) in answers {
        if is_refused {
            assert_eq!(answer["error"]["code"], "purpose_denied", "{answer}");
        } else {
            let results = answer["results"].as_array().unwrap();
            assert!(results.iter().any(|result| result.get("value").is_some()), "{answer}");
        }
    }
}
