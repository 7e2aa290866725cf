//! Words of commands that somebody pastes into a shell.

/// A word as a POSIX shell takes it for one word, quoted only where it has to be.
#[must_use]
pub fn shell_word(word: &str) -> String {
    let is_plain = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'_' | b'-' | b'.' | b'/' | b':' | b'=' | b'@')
    };
    if !word.is_empty() && word.bytes().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::shell_word;

    #[test]
    fn a_word_is_quoted_only_where_it_has_to_be() {
        assert_eq!(shell_word("sqlite:crm.db"), "sqlite:crm.db");
        assert_eq!(shell_word("my crm.db"), "'my crm.db'");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
        assert_eq!(shell_word(""), "''");
        assert_eq!(shell_word("a;rm -rf $HOME"), "'a;rm -rf $HOME'");
    }
}
