use sealift::policy::{ColumnName, Policy};

use super::bent;

#[test]
fn policy() {
    let valid = include_str!("../../policies/reference.toml");
    bolero::check!().for_each(|input: &[u8]| {
        let text = bent::text(input, valid);
        match Policy::parse(&text, "policy.toml") {
            Ok(policy) => assert_eq!(Policy::parse(&text, "policy.toml").ok(), Some(policy)),
            Err(errors) => assert!(!errors.to_string().is_empty()),
        }
    });
}

#[test]
fn column_name() {
    bolero::check!().for_each(|input: &[u8]| {
        let text = bent::text(input, r#"public."Order Lines"."e-mail""#);
        if let Ok(name) = ColumnName::parse(&text) {
            assert_eq!(
                ColumnName::parse(&name.to_string()),
                Ok(name),
                "it is written as it is read"
            );
        }
    });
}
