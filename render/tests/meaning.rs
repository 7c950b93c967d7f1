//! What templates mean: as in Go and Sprig, but for what docs/templates.md says.

use std::collections::BTreeMap;

use sealwax_format::SecretBytes;
use sealwax_render::{TemplateProblem, content};

fn made(value: &[u8], source: &str) -> Result<Vec<u8>, TemplateProblem> {
    let items = [("v".to_owned(), SecretBytes::from(value.to_vec()))].into();
    let templates: BTreeMap<String, String> = [("out".to_owned(), source.to_owned())].into();
    let made = content(items, &templates, false).map_err(|error| error.problem)?;
    Ok(made["out"].expose().to_vec())
}

fn means(cases: &[(&str, &str)]) {
    for (source, expected) in cases {
        let result = made(b"hunter2", source);
        assert_eq!(result.as_deref(), Ok(expected.as_bytes()), "{source}");
    }
}

#[test]
fn a_megabyte_of_any_bytes_passes() {
    let large: Vec<u8> = (0..1 << 20).map(|n: u32| n.to_le_bytes()[usize::from(n.is_multiple_of(3))]).collect();
    assert!(std::str::from_utf8(&large).is_err());
    assert_eq!(made(&large, "{{ .v }}").unwrap(), large);
    assert_eq!(made(&large[..700_000], "{{ .v | b64enc | b64dec }}").unwrap(), &large[..700_000]);
    assert_eq!(made(&large, "{{ len .v }}").unwrap(), b"1048576");
    assert_eq!(made(&large, "{{ .v }}x"), Err(TemplateProblem::TooMuch));
}

#[test]
fn bytes_are_no_characters() {
    let value = b"\0\xff a";
    let cases: [(&str, &[u8]); 7] = [
        ("{{ print .v }}{{ toString .v }}", b"\0\xff a\0\xff a"),
        ("{{ urlquery .v }}", b"%00%FF+a"),
        ("{{ b64enc .v }} {{ b32enc .v }}", b"AP8gYQ== AD7SAYI="),
        ("{{ b64urlenc .v | b64urldec }}", value),
        ("{{ len .v }}", b"4"),
        ("{{ .v | default `x` }}", value),
        ("{{ eq .v (b64enc .v | b64dec) }}", b"true"),
    ];
    for (source, expected) in cases {
        assert_eq!(made(value, source).as_deref(), Ok(expected), "{source}");
    }
    let refused =
        ["upper", "quote", "squote", "cat", "trim", "html", "js", "toJson", "printf `%s`", "indent 2", "join ``"];
    for function in refused.into_iter().chain(["contains `a`", "replace `a` `b`", "trunc 2", "regexMatch `a`", "slice"])
    {
        assert_eq!(made(value, &format!("{{{{ .v | {function} }}}}")), Err(TemplateProblem::Failed), "{function}");
    }
    assert_eq!(made(b"", "{{ printf `%c` 1113665 }}"), Err(TemplateProblem::Failed));
    let private = "\u{10fe41}".as_bytes();
    assert_eq!(made(br#""\udbff\ude41""#, "{{ fromJson .v }}").unwrap(), private);
    assert_eq!(made(private, "{{ .v }}").unwrap(), private);
}

#[test]
fn texts_are_as_in_go() {
    means(&[
        (r#"{{ quote "a\"b\\" "\n\t\x01\x7f" 1 nil }}"#, r#""a\"b\\" "\n\t\x01\x7f" "1""#),
        (r#"{{ quote "é \u00a0\u200b\U000e0001 e\u0301" }}"#, "\"é \\u00a0\\u200b\\U000e0001 e\u{301}\""),
        (r#"{{ title "foo-bar it's a_b éa" }}"#, "Foo-Bar It'S A_b Éa"),
        (r#"{{ upper "straße" }}{{ lower "ÀΣ" }}"#, "STRAßEàσ"),
        (r#"{{ splitList "" "aé" | toJson }}{{ splitList "," "" | toJson }}"#, r#"["a","é"][""]"#),
        (r#"{{ (split "-" "a-b")._1 }}"#, "b"),
        (r#"{{ b64dec "YWJj\r\nZGVm\n" }}{{ b32dec "MFRG\nG===" }}"#, "abcdefabc"),
        (r#"{{ printf "%s %05d %-4q| %x %.2f" "a" 7 "b" "c" 1.5 }}"#, "a 00007 \"b\" | 63 1.50"),
        (r#"{{ print 1 2 "a" 3 4 }}{{ println "a" 1 }}"#, "1 2a3 4a 1\n"),
        (r#"{{ html "<a>" }}{{ js "'" }}{{ urlquery "a b&é" }}"#, "&lt;a&gt;\\'a+b%26%C3%A9"),
        (r#"{{ trimAll "ab" "abxba" }}{{ repeat 2 "x" }}{{ nindent 2 "a\nb" }}"#, "xxx\n  a\n  b"),
    ]);
}

#[test]
fn expressions_are_as_in_go() {
    means(&[
        (
            r#"{{ regexMatch `^\w$` "é" }} {{ regexMatch `^[\w]\d\s$` "a1 " }} {{ regexMatch `^\W[\D\S]$` "éé" }}"#,
            "false true true",
        ),
        (r#"{{ regexMatch `\bé` "é" }} {{ regexFind `\bb` "a b" }} {{ regexMatch `^\d$` "٣" }}"#, "false b false"),
        (
            r#"{{ regexReplaceAll `(a)(b)?` "abac" "${1}x$2" }} {{ regexReplaceAllLiteral `a` "aa" "$1" }}"#,
            "axbaxc $1$1",
        ),
        (r#"{{ regexReplaceAll `` "ab" "-" }} {{ regexFind `(?i)B+` "abBc" }}"#, "-a-b- bB"),
        (
            r#"{{ regexSplit `a` "banana" -1 | toJson }}{{ regexSplit `a` "banana" 2 | toJson }}"#,
            r#"["b","n","n",""]["b","nana"]"#,
        ),
        (
            r#"{{ regexSplit `z*` "abz" -1 | toJson }}{{ regexSplit `a` "" -1 | toJson }}{{ regexSplit `a` "b" 0 }}"#,
            r#"["a","b",""][""][]"#,
        ),
    ]);
    assert_eq!(made(b"", r"{{ regexMatch `\pL` `a` }}"), Err(TemplateProblem::Failed));
}

#[test]
fn data_are_as_in_go() {
    means(&[
        (r#"{{ toJson (list 1.0 1.5 (float64 "-2") "<&>") }}"#, r#"[1,1.5,-2,"\u003c\u0026\u003e"]"#),
        (r#"{{ toRawJson "<" }} {{ (fromJson `{"a": 1000000}`).a }}"#, r#""<" 1000000"#),
        (
            r#"{{ merge (dict "a" (dict "x" 1) "b" "") (dict "a" (dict "x" 2 "y" 3) "b" "c") | toJson }}"#,
            r#"{"a":{"x":1,"y":3},"b":"c"}"#,
        ),
        (
            r#"{{ has 1 (list 1 2) }} {{ has "1" (list 1 2) }} {{ without (list 1 2 "1") 1 | toJson }}"#,
            r#"true false [2,"1"]"#,
        ),
        (r#"{{ until 3 }} {{ until -3 }} {{ omit (dict "a" 1 "b" 2) "a" | keys }}"#, "[0 1 2] [0 -1 -2] [b]"),
        (
            r#"{{ eq 1 2 1 }} {{ ne "a" "b" }} {{ lt 1 2 }} {{ le "a" "a" }} {{ gt 1.5 1.0 }} {{ ge 1 2 }}"#,
            "true true true true true false",
        ),
        (
            r#"{{ eq nil nil }} {{ eq nil 1 }} {{ eq true true }} {{ slice "abc" 1 2 }} {{ slice (list 1 2 3) 1 2 3 }}"#,
            "true false true b [2]",
        ),
        (r#"{{ if and .v (not 0) }}{{ or 0 "x" }}{{ end }}"#, "x"),
    ]);
    for source in
        ["eq 1 `1`", "lt 1 1.0", "eq (list 1) (list 1)", "slice `é` 1", "slice `abc` 0 1 2", "slice (list 1) 0 1 2"]
    {
        assert_eq!(made(b"", &format!("{{{{ {source} }}}}")), Err(TemplateProblem::Failed), "{source}");
    }
}

#[test]
fn every_block_ends_once() {
    means(&[
        ("{{ if 1 }}a{{ else if 2 }}b{{ end }}{", "a{"),
        ("a {{- /* c */ -}} b{{ `\x00` }}\0", "ab\0\0"),
        ("{{ range 2 }}{{ if eq . 1 }}{{ break }}{{ end }}x{{ end }}", "x"),
    ]);
    for source in ["a\n{{ if 1 }}b", "a\n{{ end }}b", "a\n{{ else }}b", "\n{{ .v"] {
        assert!(matches!(made(b"", source), Err(TemplateProblem::Syntax { line: 2, .. })), "{source}");
    }
}
