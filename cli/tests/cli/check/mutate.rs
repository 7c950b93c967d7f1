//! The same manifest written differently: what a rule finds must not hang on how a file is written.

/// A way to write a file differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutation {
    /// Keys and values in quotes, with an escape in each value.
    Requoted,
    /// The entries of each document's root in the reverse order.
    Reordered,
    /// Values written elsewhere, and reached through aliases.
    Aliased,
    /// The line ends of Windows.
    Crlf,
    /// Each document an item of a `List`.
    Nested,
}

pub(super) const ALL: [Mutation; 5] =
    [Mutation::Requoted, Mutation::Reordered, Mutation::Aliased, Mutation::Crlf, Mutation::Nested];

impl Mutation {
    /// The text, written differently.
    pub(super) fn apply(self, text: &str) -> String {
        match self {
            Self::Requoted => plain_lines(text)
                .map(|(line, plain)| if plain { requote(line) } else { line.to_owned() } + "\n")
                .collect(),
            Self::Reordered => {
                documents(text).iter().map(|document| reorder(document)).collect::<Vec<_>>().join("---\n")
            }
            Self::Aliased => documents(text).iter().map(|document| alias(document)).collect::<Vec<_>>().join("---\n"),
            Self::Crlf => text.replace('\n', "\r\n"),
            Self::Nested => {
                let items: String = documents(text).iter().map(|document| nest(document)).collect();
                format!("apiVersion: v1\nkind: List\nitems:\n{items}")
            }
        }
    }
}

fn documents(text: &str) -> Vec<String> {
    let documents = text.split("\n---\n").map(|document| format!("{}\n", document.trim_end_matches('\n')));
    documents.filter(|document| !document.trim().is_empty()).collect()
}

/// The lines, and whether they are part of the document's own structure and not of a block scalar.
fn plain_lines(text: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut block = None;
    text.lines().map(move |line| {
        let indent = line.len() - line.trim_start().len();
        if block.is_some_and(|column| indent <= column && !line.trim().is_empty()) {
            block = None;
        }
        let plain = block.is_none();
        if plain && [": |", ": >-", ": |-"].iter().any(|head| line.ends_with(head)) {
            block = Some(indent);
        }
        (line, plain)
    })
}

/// `indent key: value`, if the value is a plain text of one line.
fn entry(line: &str) -> Option<(&str, &str, &str)> {
    let (before, value) = line.split_once(": ")?;
    let start = before.find(|c: char| c != ' ' && c != '-')?;
    let (indent, key) = before.split_at(start);
    let is_word = key.chars().all(|c| c.is_ascii_alphanumeric() || "._".contains(c));
    let starts = value.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || "^(<$/".contains(c));
    let is_text = !value.contains(" #") && !matches!(value, "null" | "true" | "false");
    (is_word && starts && is_text).then_some((indent, key, value))
}

fn requote(line: &str) -> String {
    let Some((indent, key, value)) = entry(line) else { return line.to_owned() };
    let first = value.chars().next().unwrap();
    let rest = value[first.len_utf8()..].replace('\\', "\\\\").replace('"', "\\\"");
    format!("{indent}\"{key}\": \"\\x{:02x}{rest}\"", u32::from(first))
}

/// What begins in the first column, with what is indented below it; comments stay with what follows.
fn reorder(document: &str) -> String {
    let mut entries: Vec<String> = vec![String::new()];
    for line in document.lines() {
        let begins = !line.starts_with([' ', '#', '-']);
        let open = entries.last().is_some_and(|entry| entry.lines().any(|line| !line.starts_with('#')));
        if begins && open {
            entries.push(String::new());
        }
        entries.last_mut().unwrap().push_str(&format!("{line}\n"));
    }
    entries.into_iter().rev().collect()
}

/// Texts outside `apiVersion`, `kind`, `metadata` and the blocks of sealwax and SOPS.
fn alias(document: &str) -> String {
    let (mut anchors, mut body, mut root) = (String::from("anchors:\n"), String::new(), "");
    for (index, (line, plain)) in plain_lines(document).enumerate() {
        if !line.starts_with([' ', '#', '-']) {
            root = line.split(':').next().unwrap_or_default();
        }
        let named = plain && !["apiVersion", "kind", "metadata", "sealwax", "sops"].contains(&root);
        match entry(line).filter(|_| named) {
            Some((indent, key, value)) => {
                anchors.push_str(&format!("  a{index}: &a{index} {value}\n"));
                body.push_str(&format!("{indent}{key}: *a{index}\n"));
            }
            None => body.push_str(&format!("{line}\n")),
        }
    }
    anchors + &body
}

fn nest(document: &str) -> String {
    let mut lines = document.lines().filter(|line| !line.trim().is_empty());
    let first = lines.next().unwrap_or_default();
    format!("- {first}\n") + &lines.map(|line| format!("  {line}\n")).collect::<String>()
}

#[test]
fn mutations_keep_what_a_manifest_says() {
    let text = "kind: Secret\nstringData:\n  # why\n  a: b\nother: |\n  c: d\n";
    assert_eq!(
        Mutation::Requoted.apply(text),
        "\"kind\": \"\\x53ecret\"\nstringData:\n  # why\n  \"a\": \"\\x62\"\nother: |\n  c: d\n"
    );
    assert_eq!(Mutation::Reordered.apply(text), "other: |\n  c: d\nstringData:\n  # why\n  a: b\nkind: Secret\n");
    assert!(Mutation::Aliased.apply(text).starts_with("anchors:\n  a3: &a3 b\n"));
    assert_eq!(
        Mutation::Nested.apply("a: b\nc:\n  d: e\n"),
        "apiVersion: v1\nkind: List\nitems:\n- a: b\n  c:\n    d: e\n"
    );
}
