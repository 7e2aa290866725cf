//! A request is refused unless everything permits it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sealift::access::{Caller, Refusal, Used, Verb, decide, decide_rate, form_for, permit};
use sealift::policy::{Form, Permission, Purpose};

use super::caller;

fn purpose() -> Purpose {
    Purpose {
        name: "support_case".to_owned(),
        roles: vec!["support".to_owned(), "approver".to_owned(), "auditor".to_owned()],
        may: vec![Permission::Detokenize],
        show: BTreeMap::from([
            ("contact".to_owned(), Form::Plain),
            ("payment".to_owned(), Form::Last4),
            ("newsletter".to_owned(), Form::Masked),
        ]),
        max_tokens_per_request: 3,
        max_tokens_per_minute: Some(10),
        max_tokens_per_day: Some(100),
        valid_from: Some("2026-01-01T00:00:00Z".to_owned()),
        valid_until: Some("2026-02-01T01:00:00+01:00".to_owned()),
        pass_originals: false,
        unlock_above: None,
        break_glass: false,
    }
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn ask(caller: &Caller, purpose: &Purpose, count: usize, now: &str) -> Result<(), &'static str> {
    decide(caller, purpose, Permission::Detokenize, count, time(now))
        .map_err(|refusal| refusal.kind())
}

const NOW: &str = "2026-01-15T12:00:00Z";

#[test]
fn a_named_role_within_the_limits_is_permitted() {
    assert_eq!(ask(&caller("support"), &purpose(), 3, NOW), Ok(()));
    assert_eq!(ask(&caller("support"), &purpose(), 0, NOW), Ok(()));
}

#[test]
fn a_role_that_the_purpose_does_not_name_is_refused() {
    assert_eq!(ask(&caller("marketing"), &purpose(), 1, NOW), Err("role_not_named"));
    assert_eq!(ask(&caller("steward"), &purpose(), 1, NOW), Err("role_not_named"));
}

#[test]
fn a_steward_sees_values_only_where_a_purpose_names_stewards() {
    let mut purpose = purpose();
    purpose.roles.push("steward".to_owned());
    assert_eq!(ask(&caller("steward"), &purpose, 1, NOW), Ok(()));
}

#[test]
fn a_purpose_cannot_make_values_visible_to_those_who_sign_or_check() {
    for role in ["approver", "auditor"] {
        assert_eq!(ask(&caller(role), &purpose(), 1, NOW), Err("verb_denied"), "{role}");
    }
}

#[test]
fn what_the_purpose_may_not_be_used_for_is_refused() {
    for permission in [Permission::Tokenize, Permission::Search] {
        let refused = decide(&caller("support"), &purpose(), permission, 1, time(NOW));
        let purpose = "support_case".to_owned();
        assert_eq!(refused, Err(Refusal::PermissionDenied { purpose, permission }));
    }
}

#[test]
fn one_token_too_many_refuses_the_request() {
    let refused =
        decide(&caller("support"), &purpose(), Permission::Detokenize, 4, time(NOW)).unwrap_err();
    assert_eq!(refused.to_string(), "request holds 4 tokens, purpose `support_case` permits 3");
    assert_eq!(refused.code(), "too_many_tokens");
}

#[test]
fn a_purpose_holds_its_beginning_and_not_its_end() {
    let ask = |now| ask(&caller("support"), &purpose(), 1, now);
    assert_eq!(ask("2025-12-31T23:59:59.999Z"), Err("not_yet_valid"));
    assert_eq!(ask("2026-01-01T00:00:00Z"), Ok(()));
    assert_eq!(ask("2026-01-31T23:59:59.999Z"), Ok(()));
    assert_eq!(ask("2026-02-01T00:00:00Z"), Err("no_longer_valid"));
}

#[test]
fn an_ended_credential_is_refused_from_its_last_moment_on() {
    let mut caller = caller("support");
    caller.expires_at = Some("2026-01-15T12:00:00Z".to_owned());
    assert_eq!(ask(&caller, &purpose(), 1, "2026-01-15T11:59:59Z"), Ok(()));
    assert_eq!(ask(&caller, &purpose(), 1, NOW), Err("caller_expired"));
}

#[test]
fn a_revoked_credential_is_refused_whatever_the_clock_says() {
    let mut caller = caller("support");
    for at in ["2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", "", "yesterday"] {
        caller.revoked_at = Some(at.to_owned());
        assert_eq!(ask(&caller, &purpose(), 1, NOW), Err("caller_revoked"), "{at:?}");
    }
}

#[test]
fn a_time_that_cannot_be_read_permits_nothing() {
    let mut caller = caller("support");
    let mut purpose = purpose();
    for unreadable in ["", "tomorrow", "2026-01-31", "2026-01-31T00:00:00"] {
        purpose.valid_until = Some(unreadable.to_owned());
        assert_eq!(ask(&caller, &purpose, 1, NOW), Err("unreadable_time"), "{unreadable:?}");
    }
    purpose.valid_until = None;
    caller.expires_at = Some("never".to_owned());
    assert_eq!(ask(&caller, &purpose, 1, NOW), Err("unreadable_time"));
}

#[test]
fn a_rate_counts_the_request_itself() {
    let purpose = purpose();
    let ask = |count, minute, day| decide_rate(&purpose, count, Used { minute, day });
    assert_eq!(ask(3, 7, 97), Ok(()));
    let reached = |per, used, max| {
        Err(Refusal::RateReached { purpose: "support_case".to_owned(), per, used, max })
    };
    assert_eq!(ask(4, 7, 0), reached("minute", 7, 10));
    assert_eq!(ask(1, 0, 100), reached("day", 100, 100));
    assert_eq!(ask(1, u64::MAX, 0), reached("minute", u64::MAX, 10));
}

#[test]
fn without_a_rate_nothing_is_reached() {
    let mut purpose = purpose();
    (purpose.max_tokens_per_minute, purpose.max_tokens_per_day) = (None, None);
    assert_eq!(decide_rate(&purpose, 3, Used { minute: u64::MAX, day: u64::MAX }), Ok(()));
}

#[test]
fn a_domain_goes_before_its_class_and_what_is_not_named_is_not_shown() {
    let purpose = purpose();
    assert_eq!(form_for(&purpose, "email", "contact"), Some(Form::Plain));
    assert_eq!(form_for(&purpose, "newsletter", "contact"), Some(Form::Masked));
    assert_eq!(form_for(&purpose, "crm.cards.pan", "payment"), Some(Form::Last4));
    assert_eq!(form_for(&purpose, "diagnosis", "health"), None);
}

#[test]
fn an_ended_credential_may_use_no_verb() {
    let mut caller = caller("steward");
    assert_eq!(permit(&caller, Verb::Run, time(NOW)), Ok(()));
    caller.expires_at = Some("2026-01-01T00:00:00Z".to_owned());
    let refused = permit(&caller, Verb::Run, time(NOW)).unwrap_err();
    assert_eq!(refused.to_string(), "credential of `alice` ended at 2026-01-01T00:00:00Z");
}

#[test]
fn a_verb_by_purpose_is_not_permitted_without_one() {
    let refused = permit(&caller("support"), Verb::Detokenize, time(NOW)).unwrap_err();
    assert_eq!(refused.to_string(), "`detokenize` needs a purpose that names role `support`");
    let refused = permit(&caller("auditor"), Verb::ApprovePurge, time(NOW)).unwrap_err();
    assert_eq!(refused.to_string(), "role `auditor` may not `approve --purge`");
}

#[test]
fn an_outsider_cannot_tell_an_unknown_purpose_from_one_he_may_not_use() {
    let unknown = Refusal::PurposeUnknown { purpose: "audit".to_owned() };
    let refused =
        decide(&caller("marketing"), &purpose(), Permission::Detokenize, 1, time(NOW)).unwrap_err();
    assert_eq!(unknown.code(), refused.code());
    assert_eq!(refused.code(), "purpose_denied");
}

#[test]
fn a_request_too_large_says_so_only_to_who_may_use_the_purpose() {
    assert_eq!(ask(&caller("marketing"), &purpose(), 1000, NOW), Err("role_not_named"));
}
