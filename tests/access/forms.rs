//! A form lets through what it says and no more.

use proptest::prelude::*;
use sealift::access::{Shown, show};
use sealift::policy::Form;
use sealift::value::{Original, ValueType};

fn part(form: Form, original: &Original) -> String {
    match show(form, original) {
        Some(Shown::Part(text)) => text.to_string(),
        Some(Shown::Whole(_)) => panic!("{form:?} showed the whole value"),
        None => panic!("{form:?} refused"),
    }
}

fn last4(text: &str) -> String {
    part(Form::Last4, &Original::text(text))
}

fn masked(text: &str) -> String {
    part(Form::Masked, &Original::text(text))
}

#[test]
fn plain_keeps_the_type() {
    for original in [
        Original::text("alice@example.com"),
        Original::integer(-7),
        Original::real(1.5),
        Original::new(ValueType::Blob, vec![0, 255]),
        Original::new(ValueType::Text, vec![0xff]),
    ] {
        let Some(Shown::Whole(shown)) = show(Form::Plain, &original) else { panic!("not whole") };
        assert!(shown.same_as(&original), "{original:?}");
    }
}

#[test]
fn match_shows_nothing() {
    assert!(show(Form::Match, &Original::text("alice@example.com")).is_none());
    assert!(show(Form::Match, &Original::integer(1)).is_none());
}

#[test]
fn bytes_and_broken_text_are_refused_in_part() {
    for original in
        [Original::new(ValueType::Blob, vec![1; 9]), Original::new(ValueType::Text, vec![0xff; 9])]
    {
        for form in [Form::Last4, Form::Masked] {
            assert!(show(form, &original).is_none(), "{form:?} {original:?}");
        }
    }
}

#[test]
fn four_characters_are_all_starred() {
    assert_eq!(last4("Anna"), "****");
    assert_eq!(last4("Zoë"), "***");
    assert_eq!(last4(""), "");
    assert_eq!(last4("Alice"), "*lice");
}

#[test]
fn a_character_is_not_a_byte() {
    assert_eq!(last4("Łukasz"), "**kasz");
    assert_eq!(last4("日本語五字"), "*本語五字");
    assert_eq!(masked("Łukasz"), "Ł*****");
}

#[test]
fn four_digits_are_all_starred_whatever_their_sign_and_point() {
    assert_eq!(part(Form::Last4, &Original::integer(-1234)), "*****");
    assert_eq!(part(Form::Last4, &Original::real(-12.34)), "******");
    assert_eq!(part(Form::Last4, &Original::integer(12345)), "*2345");
    assert_eq!(part(Form::Last4, &Original::integer(i64::MIN)).len(), 20);
}

#[test]
fn odd_numbers_are_shown_like_others() {
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let shown = part(Form::Last4, &Original::real(number));
        assert!(shown.chars().all(|each| each == '*'), "{shown}");
    }
    assert_eq!(part(Form::Masked, &Original::real(f64::NAN)), "***");
    // 326 characters in decimal: the longest that there is, but for its sign.
    assert_eq!(part(Form::Last4, &Original::real(-5e-324)).len(), 327);
}

#[test]
fn one_character_is_never_its_own_mask() {
    assert_eq!(masked("F"), "*");
    assert_eq!(masked("7"), "*");
    assert_eq!(part(Form::Masked, &Original::integer(-7)), "-*");
    assert_eq!(masked("a@example.com"), "***@***.com");
}

#[test]
fn a_masked_address_shows_neither_its_length_nor_its_host() {
    assert_eq!(masked("alice@example.com"), "a***@***.com");
    assert_eq!(masked("al@mail.example.co.uk"), masked("alexander@example.uk"));
}

#[test]
fn what_only_resembles_an_address_is_masked_as_words() {
    for text in ["alice@localhost", "@example.com", "alice@", "a b@example.com", "a@b@example.com"]
    {
        let shown = masked(text);
        assert_eq!(shown.chars().next(), text.chars().next());
        assert!(shown.chars().skip(1).all(|each| each == '*'), "{shown}");
    }
}

#[test]
fn no_digit_of_a_date_is_masked_open() {
    for (text, shown) in [
        ("1980-05-17", "****-**-**"),
        ("17.05.1980", "**.**.****"),
        ("5/7/80", "*/*/**"),
        ("1980-05-17T08:30:00.5+02:00", "****-**-**T**:**:**.*+**:**"),
    ] {
        assert_eq!(masked(text), shown);
    }
}

#[test]
fn masked_digits_keep_their_shape() {
    assert_eq!(masked("4111-1111-1111-1111"), "4***-****-****-****");
    assert_eq!(masked("+49 (30) 1234567"), "+** (**) *******");
    assert_eq!(masked("078-05-1120"), "0**-**-****");
}

#[test]
fn nothing_shown_prints() {
    let whole = show(Form::Plain, &Original::text("alice@example.com"));
    let part = show(Form::Last4, &Original::text("alice@example.com"));
    assert_eq!(format!("{whole:?} {part:?}"), "Some(Shown::Whole(..)) Some(Shown::Part(..))");
}

proptest! {
    #[test]
    fn last4_shows_four_characters_at_most(text in any::<String>()) {
        let shown = last4(&text);
        prop_assert_eq!(shown.chars().count(), text.chars().count());
        let kept = text.chars().zip(shown.chars()).filter(|(_, shown)| *shown != '*').count();
        prop_assert!(kept <= 4);
    }

    #[test]
    fn a_mask_shows_one_letter_or_digit_at_most(text in "[^@TZ]{0,40}") {
        let shown = masked(&text);
        prop_assert!(shown.chars().filter(|each| each.is_alphanumeric()).count() <= 1);
    }

    #[test]
    fn integers_show_as_their_digits_do(number in 10_000..i64::MAX) {
        let digits = number.to_string();
        prop_assert_eq!(part(Form::Last4, &Original::integer(number)), last4(&digits));
        prop_assert_eq!(part(Form::Masked, &Original::integer(number)), masked(&digits));
    }
}
