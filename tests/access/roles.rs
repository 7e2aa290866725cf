//! Nobody signs his own work, and who signs or checks sees no value.

use sealift::access::{Decision, Role, RoleError, Verb, may};
use sealift::policy::Policy;

const ROLES: [&str; 5] = ["steward", "approver", "auditor", "support", "marketing"];

fn may_use(role: &str, verb: Verb) -> Decision {
    may(&role.parse().unwrap(), verb)
}

#[test]
fn only_an_approver_approves() {
    for verb in [Verb::Approve, Verb::ApprovePurge] {
        let roles: Vec<&str> =
            ROLES.into_iter().filter(|role| may_use(role, verb) != Decision::Refuse).collect();
        assert_eq!(roles, ["approver"], "{}", verb.name());
    }
}

#[test]
fn only_a_steward_purges() {
    let roles: Vec<&str> =
        ROLES.into_iter().filter(|role| may_use(role, Verb::Purge) != Decision::Refuse).collect();
    assert_eq!(roles, ["steward"]);
}

#[test]
fn no_role_sees_a_value_without_a_purpose() {
    for verb in [Verb::Detokenize, Verb::Tokenize, Verb::Search] {
        for role in ROLES {
            assert_ne!(may_use(role, verb), Decision::Permit, "{role} {}", verb.name());
        }
    }
}

#[test]
fn approver_and_auditor_never_see_a_value() {
    for verb in [Verb::Detokenize, Verb::Tokenize, Verb::Search] {
        for role in ["approver", "auditor"] {
            assert_eq!(may_use(role, verb), Decision::Refuse, "{role} {}", verb.name());
        }
    }
}

#[test]
fn another_role_may_nothing_by_itself() {
    for verb in Verb::ALL.iter().filter(|verb| !verb.is_open()) {
        assert_ne!(may_use("support", *verb), Decision::Permit, "{}", verb.name());
    }
}

#[test]
fn a_verb_has_a_name_of_its_own() {
    let mut names: Vec<&str> = Verb::ALL.iter().map(|verb| verb.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Verb::ALL.len());
}

#[test]
fn a_role_is_read_as_it_is_written() {
    for role in ROLES {
        assert_eq!(role.parse::<Role>().unwrap().name(), role);
    }
}

#[test]
fn a_built_in_role_in_another_spelling_is_no_role() {
    let found = "Steward".to_owned();
    let refused = Err(RoleError::Misspelt { found, expected: "steward" });
    assert_eq!("Steward".parse::<Role>(), refused);
    assert_eq!(
        "Steward".parse::<Role>().unwrap_err().to_string(),
        "role `Steward` is written `steward`"
    );
}

#[test]
fn a_role_is_named_as_a_policy_names_it() {
    let too_long = "a".repeat(65);
    let longest = "a".repeat(64);
    for name in ["support", "2nd-line", "a_b", &longest, "", "-a", "a b", "a.b", "é", &too_long] {
        let text = format!(
            "[source]\nname = \"crm\"\n\n[[column]]\nname = \"customers.email\"\n\
             class = \"contact\"\ntoken = \"keyed\"\n\n[[purpose]]\nname = \"p\"\n\
             roles = [\"{name}\"]\nshow = {{ contact = \"plain\" }}\n"
        );
        let in_policy = Policy::parse(&text, "crm.toml").is_ok();
        assert_eq!(name.parse::<Role>().is_ok(), in_policy, "{name:?}");
    }
}
