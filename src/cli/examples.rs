//! What help opens with: commands as people type them, verb by verb.
//!
//! It knows the words of the command line and nothing of what they do. Tests read every example with
//! the parser that the program itself uses.

use std::fmt::Write as _;

use clap::Command;

/// A command, and why somebody types it.
type Example = (&'static str, &'static str);

/// Up to this width an example has its remark beside it, beyond it above.
const WIDTH_MAX: usize = 56;

/// What the program's own help opens with.
const PROGRAM: &[Example] = &[
    ("sealift demo", "try it, on an invented database"),
    ("sealift scan --source sqlite:crm.db", "what is sensitive in there?"),
    ("sealift init --caller alice --credential-file alice.key", "a vault, and who may use it"),
    ("sealift plan --policy crm.toml", "what would happen, what is in the way?"),
    ("sealift run", "back up, seal, rewrite, verify"),
    (
        "sealift detokenize --purpose support_case --reason \"case 4711\" TOKEN",
        "read a value back, under a purpose",
    ),
];

/// The examples of each verb; of a verb with verbs below it, the help shows theirs.
const VERBS: &[(&str, &[Example])] = &[
    (
        "init",
        &[
            (
                "sealift init --caller alice --credential-file alice.key --recovery-file recovery.txt",
                "the recovery code is the second way in: keep it apart",
            ),
            (
                "sealift init --vault postgres://vault@db.example/vault --caller alice \
                 --credential-file alice.key",
                "a vault on a server; its recovery code is printed once",
            ),
        ],
    ),
    (
        "caller add",
        &[
            (
                "sealift caller add bob --role approver --credential-file bob.key",
                "who signs plans and purges, and never plans",
            ),
            (
                "sealift caller add carol --role support --credential-file carol.key \
                 --expires 2027-01-31T00:00Z",
                "a role that purposes of a policy name",
            ),
        ],
    ),
    ("caller list", &[("sealift caller list", "who may ask, and since when not")]),
    ("caller revoke", &[("sealift caller revoke carol", "her credential is void at once")]),
    ("keys list", &[("sealift keys list", "keys, their states, and the ways to unlock")]),
    ("keys rotate", &[("sealift keys rotate email", "new values of this domain get a new key")]),
    ("keys rewrap", &[("sealift keys rewrap", "a new root key; other ways to unlock end")]),
    (
        "keys slot add",
        &[
            ("sealift keys slot add --recovery-file recovery-2.txt", "a further recovery code"),
            ("sealift keys slot add --key-file vault.key", "a key file, for a service"),
        ],
    ),
    (
        "keys slot check",
        &[(
            "sealift keys slot check --recovery-file recovery.txt",
            "a purge wants to know that it opens",
        )],
    ),
    (
        "keys slot remove",
        &[
            ("sealift keys slot remove 3", "as `sealift keys list` has it"),
            (
                "sealift keys slot remove 1 --unlock-recovery-file recovery.txt",
                "the one that opens the vault just now cannot go",
            ),
        ],
    ),
    ("policy check", &[("sealift policy check crm.toml", "is it understood, and where not?")]),
    ("policy explain", &[("sealift policy explain crm.toml", "who will see what, in words")]),
    (
        "policy apply",
        &[
            ("sealift policy apply --policy crm.toml", "what would change; approvers sign it"),
            (
                "sealift policy apply --policy crm.toml --remove campaign",
                "and one of them goes out of force",
            ),
        ],
    ),
    ("policy history", &[("sealift policy history", "what was put into force, when, by whom")]),
    (
        "search",
        &[(
            "sealift search --purpose lookup --reason \"case 4711\" --domain email",
            "values from standard input; the token that stands for each",
        )],
    ),
    (
        "serve",
        &[
            ("sealift serve", "on 127.0.0.1:8460; the API is described at that address"),
            (
                "sealift serve --listen 0.0.0.0:8460 --tls-cert cert.pem --tls-key key.pem",
                "for other machines",
            ),
        ],
    ),
    (
        "access unlock",
        &[(
            "sealift access unlock carol --purpose export --minutes 15 --reason \"case 4711\"",
            "an approver lets her send requests past `unlock_above`",
        )],
    ),
    (
        "honeytoken plant",
        &[(
            "sealift honeytoken plant --domain email --place \"nightly dump\"",
            "prints the token; put it where you said",
        )],
    ),
    ("honeytoken list", &[("sealift honeytoken list", "where they lie, and who opened one")]),
    (
        "notify",
        &[
            ("sealift notify --notify notify.toml", "from a timer"),
            ("sealift notify --notify notify.toml --try", "does the pager ring?"),
        ],
    ),
    ("access reason", &[("sealift access reason 41", "why was this asked?")]),
    (
        "access forget",
        &[
            ("sealift access forget --entry 41", "a reason that names somebody"),
            ("sealift access forget --before 2026-01-01T00:00:00Z", "when they are not needed"),
        ],
    ),
    (
        "access review",
        &[(
            "sealift access review emergency --reason \"looked at with the doctor\"",
            "what was asked in an emergency was looked at",
        )],
    ),
    (
        "access report",
        &[
            ("sealift access report", "who may read what, beside who did"),
            ("sealift access report --requests", "each request, and why it was made"),
        ],
    ),
    (
        "scan",
        &[
            ("sealift scan --source sqlite:crm.db", "what is sensitive? values are never printed"),
            ("sealift scan --write-policy policy.toml", "the same, as a policy to read and change"),
            ("sealift scan --policy policy.toml", "what does the policy leave out? exit code 1"),
            ("sealift scan --whole --table customers", "every row of one table"),
            ("sealift scan --run 7f3a0c11", "has an original come back since the purge?"),
        ],
    ),
    (
        "plan",
        &[
            ("sealift plan --policy crm.toml --dry-run", "look only; needs no vault"),
            (
                "sealift plan --policy crm.toml --output plan.html",
                "with a page to read and to sign",
            ),
            ("sealift plan --policy crm.toml --queries app.sql", "which of my queries will break?"),
            ("sealift plan --reissue 7f3a0c11 --output again.html", "the page once more"),
        ],
    ),
    (
        "approve",
        &[
            (
                "sealift approve --document plan.html --as-file bob.key",
                "sign the page that was read",
            ),
            ("sealift approve 7f3a0c11 --purge --as-file bob.key", "sign that originals may go"),
        ],
    ),
    (
        "run",
        &[
            ("sealift run", "the only open run; again to resume"),
            ("sealift run 7f3a0c11 --until sealed", "up to here the source is untouched"),
        ],
    ),
    ("verify", &[("sealift verify 7f3a0c11", "every token is opened and compared")]),
    ("purge", &[("sealift purge 7f3a0c11 --confirm 7f3a0c11", "twice: it does not come back")]),
    ("rollback", &[("sealift rollback 7f3a0c11", "every original back where it was")]),
    (
        "restore",
        &[
            ("sealift restore 7f3a0c11 --reason \"case 4711\"", "after its purge: a run to sign"),
            ("sealift restore 0a1b2c3d", "that run, signed: the originals are back"),
        ],
    ),
    ("pause", &[("sealift pause 7f3a0c11", "it stops at its next batch")]),
    ("throttle", &[("sealift throttle 7f3a0c11 --rate 500", "rows a second; or `unlimited`")]),
    ("resume", &[("sealift resume 7f3a0c11", "then `sealift run` goes on")]),
    (
        "status",
        &[
            ("sealift status", "open runs, and who does what next"),
            ("sealift status 7f3a0c11 --watch", "one run, again every two seconds"),
            ("sealift status --all --format json", "all runs, for a program"),
        ],
    ),
    ("quarantine list", &[("sealift quarantine list", "rows that could not be tokenised")]),
    (
        "quarantine replay",
        &[(
            "sealift quarantine replay 7f3a0c11",
            "they are mended: `sealift run` tries them again",
        )],
    ),
    (
        "quarantine waive",
        &[(
            "sealift quarantine waive 7f3a0c11 --row 0a1b2c3d --reason \"test row\"",
            "accept by name that a row keeps its originals",
        )],
    ),
    (
        "detokenize",
        &[
            (
                "sealift detokenize --purpose support_case --reason \"case 4711\" TOKEN",
                "one value a line, in the order asked",
            ),
            (
                "sealift detokenize --purpose support_case --reason \"case 4711\" --format json",
                "tokens from standard input, an object a line",
            ),
        ],
    ),
    (
        "tokenize",
        &[
            (
                "sealift tokenize --purpose support_case --reason \"case 4711\" --domain email",
                "values from standard input, one a line",
            ),
            (
                "sealift tokenize --purpose intake --reason import --domain email \
                 --values-file new.txt",
                "or from a file; never as an argument",
            ),
        ],
    ),
    (
        "residue scan",
        &[
            ("sealift residue scan /var/backups/crm", "is an original left in a dump?"),
            ("sealift residue scan --domain email export.csv.gz", "of one domain only"),
        ],
    ),
    (
        "report",
        &[
            ("sealift report --output report.html", "a page for people; it prints well"),
            ("sealift report 7f3a0c11 --output report.html --close", "and close the run with it"),
            ("sealift report 7f3a0c11 --format json", "for programs; `--schema` describes it"),
            ("sealift report 7f3a0c11 --output report.json --issue", "its hash goes on the ledger"),
            (
                "sealift report --since 2026-01-01 --until 2026-03-31 --output quarter.html",
                "every run of a quarter, and who read what in it; `--all` for all there is",
            ),
        ],
    ),
    (
        "backup list",
        &[("sealift backup list", "files, tables, ages, and until when they are kept")],
    ),
    (
        "backup verify",
        &[
            ("sealift backup verify", "every file is opened to its end"),
            (
                "sealift backup verify --folder sealift-backup/7f3a0c11 --identity-file key.txt",
                "without a vault, by the key of a recipient",
            ),
        ],
    ),
    (
        "backup restore",
        &[
            (
                "sealift backup restore --into sqlite:look.db",
                "originals, in plain text, to look at",
            ),
            (
                "sealift backup restore 7f3a0c11 --in-place --table customers",
                "back into the cells that hold their tokens",
            ),
            (
                "sealift backup restore --folder backup/7f3a --identity-file key.txt --into sqlite:look.db",
                "on the day on which the vault is lost",
            ),
        ],
    ),
    ("backup prune", &[("sealift backup prune", "what is past `retention_days` is destroyed")]),
    (
        "vault backup",
        &[
            ("sealift vault backup --output today.backup", "one encrypted file, tried out at once"),
            (
                "sealift vault backup --output today.backup --recipient AGE_KEY",
                "opens with that age key too",
            ),
        ],
    ),
    (
        "vault restore",
        &[(
            "sealift vault restore today.backup --vault sqlite:restored.db",
            "where no vault is yet",
        )],
    ),
    (
        "report verify",
        &[
            ("sealift report verify report.html", "its proofs, and its figures against them"),
            (
                "sealift report verify report.html --ledger ledger/ --key FINGERPRINT",
                "also: was it issued, is anything left out, has the run gone on?",
            ),
        ],
    ),
    ("vault check", &[("sealift vault check", "opens every value, compares with the ledger")]),
    ("ledger export", &[("sealift ledger export --output ledger/", "a folder that proves itself")]),
    (
        "ledger verify",
        &[
            ("sealift ledger verify ledger/", "needs no vault and no passphrase"),
            (
                "sealift ledger verify ledger/ --key FINGERPRINT --since checkpoint.txt",
                "whose it is, and that nothing was taken back",
            ),
        ],
    ),
    (
        "ledger prove",
        &[
            ("sealift ledger prove 41 --output proof.json", "one entry, and nothing else"),
            ("sealift ledger prove --run 7f3a0c11 --output proof.json", "all entries of a run"),
            (
                "sealift ledger prove --since kept.txt --output proof.json",
                "what was signed then is where it was",
            ),
        ],
    ),
    ("ledger heartbeat", &[("sealift ledger heartbeat", "from a timer: silence shows then")]),
    ("ledger checkpoint", &[("sealift ledger checkpoint", "keep it where nobody here can write")]),
    (
        "demo",
        &[
            ("sealift demo", "100,000 invented customers, from scan to purge"),
            (
                "sealift demo --keep demo --customers 5000",
                "smaller, and in a folder of your choice",
            ),
        ],
    ),
    (
        "completions",
        &[("sealift completions bash", "into a file that your shell reads at its start")],
    ),
    ("man", &[("sealift man", "one page"), ("sealift man --output man", "a page for each verb")]),
];

/// Gives every verb of the command its examples.
pub(super) fn with_examples(command: Command) -> Command {
    let tail = command.get_before_help().map(ToString::to_string).unwrap_or_default();
    let mut head = written(PROGRAM);
    if !tail.is_empty() {
        let _ = write!(head, "\n\n{tail}");
    }
    below(command, "").before_help(head)
}

fn below(mut command: Command, path: &str) -> Command {
    let names: Vec<String> =
        command.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    for name in names {
        let path = if path.is_empty() { name.clone() } else { format!("{path} {name}") };
        let examples = of(&path);
        command = command.mut_subcommand(name, |verb| {
            let verb = below(verb, &path);
            if examples.is_empty() { verb } else { verb.before_help(written(&examples)) }
        });
    }
    command
}

/// The examples of a verb, or of those below it.
fn of(path: &str) -> Vec<Example> {
    let own = VERBS.iter().filter(|(verb, _)| *verb == path);
    let under = VERBS.iter().filter(|(verb, _)| verb.starts_with(&format!("{path} ")));
    own.chain(under).flat_map(|(_, examples)| examples.iter().copied()).collect()
}

fn written(examples: &[Example]) -> String {
    let fits = |(command, _): &&Example| command.len() <= WIDTH_MAX;
    let width = examples.iter().filter(fits).map(|(command, _)| command.len()).max().unwrap_or(0);
    let mut text = String::from("Examples:");
    for example in examples {
        let (command, remark) = example;
        if fits(&example) {
            let _ = write!(text, "\n  {command:<width$}  # {remark}");
        } else {
            let _ = write!(text, "\n  # {remark}\n  {command}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::parse::{command, understood};

    /// What a shell makes of a line without variables.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut is_quoted = false;
        for each in line.chars() {
            match each {
                '"' => is_quoted = !is_quoted,
                ' ' if !is_quoted => words.push(String::new()),
                each => words.last_mut().unwrap().push(each),
            }
        }
        words
    }

    fn paths(command: &Command, path: &str, found: &mut Vec<String>) {
        for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help") {
            let path = format!("{path} {}", verb.get_name()).trim().to_owned();
            found.push(path.clone());
            paths(verb, &path, found);
        }
    }

    #[test]
    fn every_verb_has_an_example_and_no_example_is_of_a_verb_that_is_gone() {
        let mut verbs = Vec::new();
        paths(&command(), "", &mut verbs);
        for verb in &verbs {
            assert!(!of(verb).is_empty(), "`{verb}` has no example");
        }
        for (verb, _) in VERBS {
            assert!(verbs.iter().any(|known| known == verb), "there is no verb `{verb}`");
        }
    }

    #[test]
    fn every_example_is_understood_as_the_verb_it_stands_for() {
        for (verb, examples) in VERBS.iter().chain(&[("", PROGRAM)]) {
            for (example, _) in *examples {
                let begins = format!("sealift {verb}");
                assert!(example.starts_with(begins.trim()), "`{example}` is not of `{verb}`");
                let read = understood(words(example).into_iter().map(Into::into));
                assert!(read.is_ok(), "`{example}`: {}", read.unwrap_err());
            }
        }
    }

    #[test]
    fn examples_fit_a_terminal() {
        for (_, examples) in VERBS.iter().chain(&[("", PROGRAM)]) {
            for line in written(examples).lines() {
                assert!(line.len() <= 100, "{line}");
            }
        }
    }
}
