//! Files as people write them: YAML in every style, and JSON.

use proptest::prelude::*;

/// Pieces from which scalars are made; several are special to YAML.
fn scalar() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "a",
        "hunter2",
        " ",
        "  ",
        "#",
        ": ",
        "- ",
        "'",
        "\"",
        "\\",
        "é",
        "日本",
        "|",
        ">",
        "&",
        "*",
        "!",
        "%",
        "@",
        "`",
        "{",
        "}",
        "[",
        "]",
        ",",
        "?",
        "1",
        ".5",
        "yes",
        "null",
        "~",
        "\t",
        "=",
        "<<",
        "2001-01-01",
        "\u{1f600}",
    ]);
    prop::collection::vec(word, 0..6).prop_map(|words| words.concat())
}

/// One value as source text at an indentation, in any style.
fn written(indent: usize) -> impl Strategy<Value = String> {
    let pad = " ".repeat(indent);
    let continued = format!("plain\n{pad}  continued");
    let lines =
        prop::collection::vec(prop::sample::select(vec!["x", "y  z", "", "# no comment", "  more", "\"q\""]), 1..4);
    let header = prop::sample::select(vec!["|", "|-", "|+", ">", ">-", ">+", "|2-", "| # note", ">-  # note"]);
    prop_oneof![
        scalar().prop_map(|s| format!("'{}'", s.replace('\'', "''"))),
        scalar().prop_map(|s| serde_json::to_string(&s).unwrap()),
        scalar().prop_map(|s| format!("{}  # comment", serde_json::to_string(&s).unwrap())),
        prop::sample::select(vec![
            "plain",
            "two words",
            "12",
            "-1.5e3",
            "true",
            "0x1F",
            "2001-12-14",
            "!!str 12",
            "!!binary aGk="
        ])
        .prop_map(str::to_owned),
        (header, lines).prop_map(move |(header, lines)| {
            let mut text = header.to_owned();
            for (number, line) in lines.iter().enumerate() {
                text.push('\n');
                // The first line decides the indentation, so it must not start with blanks or be empty.
                let line = if number == 0 { line.trim_start() } else { line };
                let line = if number == 0 && line.is_empty() { "first" } else { line };
                if !line.is_empty() {
                    text.push_str(&pad);
                    text.push_str("  ");
                    text.push_str(line);
                }
            }
            text
        }),
        Just(continued),
        prop::sample::select(vec!["{a: b, c: \"d\"}", "[x, 'y', {z: 1}]", "{}", "[]", "null", ""])
            .prop_map(str::to_owned),
    ]
}

/// A document of nested mappings and lists with comments and blank lines.
fn document() -> impl Strategy<Value = String> {
    let entry = (0..5_usize, written(2), written(4), prop::bool::ANY);
    prop::collection::vec(entry, 1..5).prop_map(|entries| {
        let mut text = String::new();
        for (number, (shape, outer, inner, blank)) in entries.into_iter().enumerate() {
            match shape {
                0 | 1 => text.push_str(&format!("key{number}: {}\n", outer.replace("\n  ", "\n"))),
                2 => text.push_str(&format!("key{number}:\n  inner: {outer}\n  other: {outer}\n")),
                3 => text.push_str(&format!("key{number}:\n  # note\n  - {outer}\n  - a: {inner}\n    b: 1\n")),
                _ => text.push_str(&format!("\"key {number}\":\n- {}\n- - x\n  - y\n", outer.replace("\n  ", "\n"))),
            }
            if blank {
                text.push_str("\n# between\n\n");
            }
        }
        text
    })
}

pub(crate) fn file() -> impl Strategy<Value = String> {
    let frame = (prop::bool::ANY, prop::bool::ANY, prop::bool::ANY, prop::bool::ANY);
    (prop::collection::vec(document(), 1..3), frame).prop_map(|(documents, (marker, crlf, bom, cut))| {
        let mut text = documents.join("---\n");
        if marker {
            text = format!("---\n{text}");
        }
        if cut {
            text.truncate(text.trim_end_matches('\n').len());
        }
        if crlf {
            text = text.replace('\n', "\r\n");
        }
        if bom { format!("\u{feff}{text}") } else { text }
    })
}

/// A value of JSON.
pub(crate) fn json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-z\"\\\\]{1,4}", inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    })
}
