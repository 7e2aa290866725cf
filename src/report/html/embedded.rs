//! The report's JSON inside its page, so that the page can check itself and be checked.
//!
//! It knows no field of a report. What is put in comes out again, byte for byte.

/// What stands before the JSON in a page.
pub(super) const BEGIN: &str = "<script type=\"application/json\" id=\"report\">";

/// What stands behind it.
pub(super) const END: &str = "</script>";

/// Writes JSON so that no text in it can end the element it stands in: `<` becomes `\u003c`, which
/// means the same in every string of JSON, and occurs nowhere else.
pub(super) fn put_in(json: &str) -> String {
    json.replace('<', "\\u003c")
}

/// Takes the JSON out of a page; `None` where there is none in it.
#[must_use]
pub fn embedded(page: &str) -> Option<String> {
    let (_, rest) = page.split_once(BEGIN)?;
    let (inside, _) = rest.split_once(END)?;
    let mut json = String::with_capacity(inside.len());
    let mut rest = inside;
    // A backslash belongs to the character behind it: only one that is not escaped itself begins
    // what was put in.
    while let Some(at) = rest.find('\\') {
        json.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(behind) = rest.strip_prefix("\\u003c") {
            json.push('<');
            rest = behind;
        } else {
            let pair: usize = rest.chars().take(2).map(char::len_utf8).sum();
            json.push_str(&rest[..pair]);
            rest = &rest[pair..];
        }
    }
    json.push_str(rest);
    Some(json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_comes_out_byte_for_byte() {
        for json in [r#"{"a":"</script><b>"}"#, r#"{"a":"\\u003c \\\\ \" <"}"#, "{}", "\\"] {
            let page = format!("<p>{BEGIN}{}{END}</p>", put_in(json));
            assert_eq!(embedded(&page).as_deref(), Some(json));
            assert_eq!(page.matches(END).count(), 1, "{page}");
        }
        assert_eq!(embedded("<p></p>"), None);
    }
}
