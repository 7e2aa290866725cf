//! A policy's own patterns.

use sealift::classify::{Detectors, Kind, Pattern, PatternError, Profile, Subject};
use sealift::value::Original;

fn badge(column: Option<&str>) -> Pattern {
    Pattern {
        name: "badge".into(),
        class: "staff".into(),
        regex: "^BX-[0-9]{4}$".into(),
        column: column.map(str::to_owned),
    }
}

#[test]
fn a_policys_own_pattern_is_found_with_its_class() {
    let detectors = Detectors::new(&[badge(None)]).unwrap();
    let subject = Subject { table: "t", column: "c1", declared: "", siblings: &[] };
    let mut profile = Profile::new(&detectors, &subject);
    for value in ["BX-1000", "BX-2000", "other"] {
        profile.add(&Original::text(value));
    }
    let found = profile.findings();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (&found[0].kind, found[0].class.as_str()),
        (&Kind::Pattern("badge".into()), "staff")
    );
    assert_eq!((found[0].evidence.tested, found[0].evidence.matched), (3, 2));
}

#[test]
fn a_pattern_for_other_columns_does_not_look() {
    let detectors = Detectors::new(&[badge(Some("(?i)badge"))]).unwrap();
    let found = |column: &str| {
        let subject = Subject { table: "t", column, declared: "", siblings: &[] };
        let mut profile = Profile::new(&detectors, &subject);
        profile.add(&Original::text("BX-1000"));
        profile.findings().len()
    };
    assert_eq!((found("badge_no"), found("c1")), (1, 0));
}

#[test]
fn a_pattern_that_cannot_be_used_is_named() {
    let broken = Pattern { regex: "(".into(), ..badge(None) };
    assert!(matches!(Detectors::new(&[broken]), Err(PatternError::Invalid { field: "regex", .. })));
    let column = badge(Some("["));
    assert!(matches!(
        Detectors::new(&[column]),
        Err(PatternError::Invalid { field: "column", .. })
    ));
}
