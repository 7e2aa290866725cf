//! What `docs/ACCESS.md` shows is done: its commands here, its programs in Python by `tests/api.sh`.

use std::fs;
use std::path::Path;
use std::process::Command;

use sealift::{Client, ClientError, Vault};

use super::desk::{credential, desk, email, token};
use crate::support::{Desk, PASSPHRASE, Server};

const PAGE: &str = include_str!("../../docs/ACCESS.md");

/// The one block of the page that begins with these words.
fn block(words: &str) -> &'static str {
    let begin = format!("```{words}\n");
    let (_, rest) = PAGE.split_once(&begin).unwrap_or_else(|| panic!("no block `{words}`"));
    assert!(!rest.contains(&begin), "more than one block is `{words}`");
    rest.split("\n```").next().unwrap()
}

/// Types lines where `sealift` is on the path, and says what they print.
fn typed(desk: &Desk, lines: &str) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_sealift"));
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("sh");
    desk.dress(&mut command).args(["-eu", "-c", lines]);
    command.env("PATH", format!("{}:{path}", program.parent().unwrap().display()));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{lines}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_request_of_the_page_is_answered_as_the_page_says() {
    let desk = desk();
    let server = Server::start(&desk);
    let (first, request) = block("sh serve").split_once('\n').unwrap();
    assert!(first.ends_with("sealift serve --listen 127.0.0.1:8460 &"), "{first}");
    let (known, hidden) = (token(&desk, "email", 1), token(&desk, "diagnosis", 1));
    let request = request
        .replace("127.0.0.1:8460", server.address())
        .replace("TOKEN_1", &known)
        .replace("TOKEN_2", &hidden);

    let answer = typed(&desk, &request);

    let said = answer.replace(&known, "TOKEN_1").replace(&hidden, "TOKEN_2");
    let said = said.replace(&email(1), "alice@example.com");
    assert!(PAGE.contains(&format!("```text\n{said}\n```")), "{said}");
}

#[test]
fn the_commands_of_the_page_do_what_it_says() {
    let desk = desk();
    assert_eq!(typed(&desk, block("sh unlock")).lines().count(), 2);
    let policy = fs::read_to_string(desk.path("people.toml")).unwrap();
    let policy = policy.replace("plan  = 0", "plan  = 1");
    desk.write("new.toml", &policy.replace("max_tokens_per_day     = 5", "max_tokens_per_day = 6"));
    let said = typed(&desk, block("sh policy"));
    for words in ["5 -> 6", "in force", "purpose `few`"] {
        assert!(said.contains(words), "{words}: {said}");
    }
}

// The example of the page, letter for letter.
async fn over_http(
    url: &str,
    credential: &str,
    token: &str,
) -> Result<Option<String>, ClientError> {
    let client = Client::new(url, credential.into())?;
    let answers = client.detokenize("support_case", "case 4711", &[token]).await?;
    Ok(answers[0].as_text().map(str::to_owned))
}

async fn embedded(
    vault: &str,
    passphrase: &str,
    credential: &str,
    token: &str,
) -> Result<Option<String>, ClientError> {
    let vault = Vault::open(vault, &passphrase.into(), &credential.into()).await?;
    let answers = vault.detokenize("support_case", "case 4711", &[token]).await?;
    Ok(answers[0].as_text().map(str::to_owned))
}

#[test]
fn the_program_in_rust_of_the_page_is_the_one_that_runs_here() {
    // How lines are broken, and the comma that comes with it, is a matter of width.
    let without = |text: &str| text.split_whitespace().collect::<String>().replace(",)", ")");
    let here = without(include_str!("page.rs"));
    let (_, shown) = block("rust").split_once("\n\n").unwrap();
    assert!(here.contains(&without(shown)), "the page shows another program");

    let desk = desk();
    let server = Server::start(&desk);
    let (carol, one) = (credential(&desk, "carol"), token(&desk, "email", 1));
    let vault = format!("sqlite:{}", desk.vault().display());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let url = format!("http://{}", server.address());
        assert_eq!(over_http(&url, &carol, &one).await.unwrap(), Some(email(1)));
        let opened = embedded(&vault, PASSPHRASE, &carol, &one).await.unwrap();
        assert_eq!(opened, Some(email(1)));
    });
}
