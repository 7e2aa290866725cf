//! What a command answered: its exit code and what it printed.

use serde_json::Value;

/// What a command answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// What was typed after `sealift`.
    pub(crate) typed: String,
    /// The exit code; -1 where a signal ended it.
    pub(crate) code: i32,
    /// Results.
    pub(crate) stdout: String,
    /// Everything else.
    pub(crate) stderr: String,
}

impl Answer {
    /// Holds that the command ended with this code.
    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self}");
        self
    }

    /// Holds that it did what it was asked.
    #[track_caller]
    pub(crate) fn done(self) -> Self {
        self.ends(0)
    }

    /// Holds that it ended with this code and an error in the house style: a line that begins with
    /// `sealift:`, one with `hint:`, and these words somewhere in them.
    #[track_caller]
    pub(crate) fn fails(self, code: i32, words: &[&str]) -> Self {
        let answer = self.ends(code);
        let says = |start: &str| answer.stderr.lines().any(|line| line.starts_with(start));
        assert!(says("sealift: "), "no line `sealift: …`: {answer}");
        assert!(says("hint: "), "no line `hint: …`: {answer}");
        assert!(!answer.stderr.contains("a fault of the program"), "{answer}");
        answer.mentions(words)
    }

    /// Holds that these words stand in what it printed.
    #[track_caller]
    pub(crate) fn mentions(self, words: &[&str]) -> Self {
        for word in words {
            let is_said = self.stderr.contains(word) || self.stdout.contains(word);
            assert!(is_said, "nothing says `{word}`: {self}");
        }
        self
    }

    /// The JSON objects that it printed, one a line.
    #[track_caller]
    pub(crate) fn objects(&self) -> Vec<Value> {
        let parse = |line: &str| {
            let value: Value = serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("`{line}` is no JSON ({error}): {self}"));
            assert!(value.is_object(), "`{line}` is no object: {self}");
            value
        };
        self.stdout.lines().map(parse).collect()
    }

    /// The last of them.
    #[track_caller]
    pub(crate) fn last(&self) -> Value {
        self.objects().pop().unwrap_or_else(|| panic!("no object: {self}"))
    }

    /// A text of the last object.
    #[track_caller]
    pub(crate) fn text(&self, name: &str) -> String {
        let last = self.last();
        let text = last.get(name).and_then(Value::as_str);
        text.unwrap_or_else(|| panic!("no text `{name}`: {self}")).to_owned()
    }

    /// A number of the last object, by a path such as `/counts/cells`.
    #[track_caller]
    pub(crate) fn number(&self, path: &str) -> u64 {
        let last = self.last();
        let number = last.pointer(path).and_then(Value::as_u64);
        number.unwrap_or_else(|| panic!("no number at `{path}`: {self}"))
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { typed, code, stdout, stderr } = self;
        let cut = |text: &str| text.chars().take(6_000).collect::<String>();
        write!(f, "`sealift {typed}` ended with {code}\n--- stdout\n{}", cut(stdout))?;
        write!(f, "--- stderr\n{}", cut(stderr))
    }
}
