//! Purposes in words: what one means, and what changes between two.

use serde_json::json;

use super::exit::{Failure, Outcome};
use super::output::Output;
use super::policy::read;
use crate::policy::{Form, Permission, Policy, Purpose};

/// `policy explain`: what a policy means, for whoever reviews it. It needs no vault.
pub(super) fn explain(out: &Output, file: &std::path::Path) -> Result<Outcome, Failure> {
    let policy = read(file)?;
    for rule in &policy.columns {
        let domain = policy.domain_of(rule);
        let seen: Vec<&str> = policy
            .purposes
            .iter()
            .filter(|purpose| crate::access::form_for(purpose, &domain, &rule.class).is_some())
            .map(|purpose| purpose.name.as_str())
            .collect();
        out.object(&json!({
            "column": rule.name.to_string(), "class": rule.class, "domain": domain,
            "purposes": seen,
        }));
        let seen = if seen.is_empty() {
            "no purpose shows it".to_owned()
        } else {
            format!("shown for {}", list(&seen))
        };
        out.line(format!("`{}` is `{}`, in domain `{domain}`: {seen}", rule.name, rule.class));
    }
    for purpose in &policy.purposes {
        let words = words(purpose, &policy);
        out.object(&json!({"purpose": purpose.name, "words": words}));
        out.line("");
        for line in words {
            out.line(line);
        }
    }
    out.next("a steward", "sealift policy apply --policy FILE");
    Ok(Outcome::Done)
}

/// What a purpose means, a sentence a line.
fn words(purpose: &Purpose, policy: &Policy) -> Vec<String> {
    let roles: Vec<&str> = purpose.roles.iter().map(String::as_str).collect();
    let verbs: Vec<&str> = purpose.may.iter().map(|may| verb(*may)).collect();
    let mut lines = vec![format!(
        "For `{}`, callers with the role {} may {}.",
        purpose.name,
        list(&roles),
        list(&verbs)
    )];
    for (name, form) in &purpose.show {
        let is_domain = policy.columns.iter().any(|rule| policy.domain_of(rule) == *name);
        let what = if is_domain { "domain" } else { "class" };
        lines.push(format!("  Values of {what} `{name}`: {}.", form_words(*form)));
    }
    lines.push("  Values of everything else are refused.".to_owned());
    lines.push(format!("  One request carries {} at most.", purpose.max_tokens_per_request));
    if let Some(max) = purpose.max_tokens_per_minute {
        lines.push(format!("  One caller gets {max} a minute."));
    }
    if let Some(max) = purpose.max_tokens_per_day {
        lines.push(format!("  One caller gets {max} a day."));
    }
    if let Some(from) = &purpose.valid_from {
        lines.push(format!("  It is refused before {from}."));
    }
    if let Some(until) = &purpose.valid_until {
        lines.push(format!("  It is refused from {until} on."));
    }
    if let Some(max) = purpose.unlock_above {
        lines.push(format!("  A request of more than {max} needs an unlock by an approver."));
    }
    if purpose.break_glass {
        lines.push("  It is for emergencies: each use is to be reviewed.".to_owned());
    }
    if purpose.pass_originals {
        lines.push("  What is no token comes back as it was sent, and is counted.".to_owned());
    }
    lines
}

/// What changes from one purpose to another, a line each; none where they are the same.
pub(super) fn differences(before: Option<&Purpose>, after: Option<&Purpose>) -> Vec<String> {
    match (before, after) {
        (None, None) => Vec::new(),
        (None, Some(new)) => {
            let mut lines = vec![format!("+ purpose `{}`", new.name)];
            lines.extend(facts(new).into_iter().map(|(name, now)| format!("    {name}: {now}")));
            lines
        }
        (Some(old), None) => vec![format!("- purpose `{}`", old.name)],
        (Some(old), Some(new)) => {
            let changed: Vec<String> = facts(old)
                .into_iter()
                .zip(facts(new))
                .filter(|(old, new)| old.1 != new.1)
                .map(|((name, was), (_, now))| format!("    {name}: {was} -> {now}"))
                .collect();
            if changed.is_empty() {
                return changed;
            }
            let mut lines = vec![format!("~ purpose `{}`", new.name)];
            lines.extend(changed);
            lines
        }
    }
}

/// Everything that a purpose says, in one order.
fn facts(purpose: &Purpose) -> Vec<(&'static str, String)> {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
    let show: Vec<String> =
        purpose.show.iter().map(|(name, form)| format!("{name} {}", form_name(*form))).collect();
    let may: Vec<&str> = purpose.may.iter().map(|may| verb(*may)).collect();
    vec![
        ("roles", purpose.roles.join(", ")),
        ("may", may.join(", ")),
        ("show", show.join(", ")),
        ("a request", purpose.max_tokens_per_request.to_string()),
        ("a minute", or_none(purpose.max_tokens_per_minute.map(|max| max.to_string()))),
        ("a day", or_none(purpose.max_tokens_per_day.map(|max| max.to_string()))),
        ("valid from", or_none(purpose.valid_from.clone())),
        ("valid until", or_none(purpose.valid_until.clone())),
        ("pass originals", purpose.pass_originals.to_string()),
        ("unlock above", or_none(purpose.unlock_above.map(|max| max.to_string()))),
        ("break glass", purpose.break_glass.to_string()),
    ]
}

pub(super) fn verb(may: Permission) -> &'static str {
    crate::access::Verb::by(may).name()
}

pub(super) fn form_name(form: Form) -> &'static str {
    match form {
        Form::Plain => "plain",
        Form::Last4 => "last4",
        Form::Masked => "masked",
        Form::Match => "match",
    }
}

fn form_words(form: Form) -> &'static str {
    match form {
        Form::Plain => "the value itself",
        Form::Last4 => "the last four characters",
        Form::Masked => "the first character and the shape",
        Form::Match => "nothing, but which token stands for a value",
    }
}

fn list(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}
