//! Templates that want all of the time, the memory or the stack of a process that others use too.

#![expect(clippy::unwrap_used, clippy::unwrap_in_result, reason = "a failing unwrap is a failing test")]
#![expect(clippy::print_stdout, reason = "how long each takes is half of what these tests tell")]

mod any;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use sealwax_format::SecretBytes;
use sealwax_render::{TemplateProblem, content};

/// The stack of a thread of the controller.
const STACK: usize = 2 << 20;
/// Several times what the slowest takes without optimization, for machines that are busy.
const PATIENCE: Duration = Duration::from_secs(10);

fn items() -> BTreeMap<String, SecretBytes> {
    let value = |bytes: &[u8]| SecretBytes::from(bytes.to_vec());
    let json = br#"{"host": "db", "ports": [1, 2.5], "more": {"a": null}}"#;
    [
        ("password".to_owned(), value(b"hunter2")),
        ("json".to_owned(), value(json)),
        ("binary".to_owned(), value(b"\0\xffhunter2")),
    ]
    .into()
}

/// What becomes of templates, on a stack of its own; none may take long or tell the password.
fn made(templates: BTreeMap<String, String>) -> Result<BTreeMap<String, SecretBytes>, TemplateProblem> {
    let begin = Instant::now();
    let source: String = templates.values().flat_map(|source| source.chars().take(70)).take(70).collect();
    let work = move || {
        content(items(), &templates, false).map_err(|error| {
            assert!(!error.to_string().contains("hunter2"), "{error}");
            assert!(error.to_string().len() < 1000, "{error}");
            error.problem
        })
    };
    let result = std::thread::Builder::new().stack_size(STACK).spawn(work).unwrap().join().unwrap();
    let taken = begin.elapsed();
    println!("{:>5} ms  {source}", taken.as_millis());
    assert!(taken < PATIENCE, "{taken:?}: {source}");
    result
}

fn one(source: impl Into<String>) -> Result<Vec<u8>, TemplateProblem> {
    Ok(made([("out".to_owned(), source.into())].into())?["out"].expose().to_vec())
}

fn too_much(sources: impl IntoIterator<Item = String>) {
    for source in sources {
        assert_eq!(one(source.as_str()), Err(TemplateProblem::TooMuch), "{source:.90}");
    }
}

/// A variable that holds two megabytes, and then this.
fn big(rest: &str) -> String {
    format!(r#"{{{{ $b := repeat 2000000 "x" }}}}{rest}"#)
}

#[test]
fn nesting_ends_before_the_stack() {
    too_much([
        "{{ $l := list 1 }}{{ range until 90000 }}{{ $l = list $l }}{{ end }}".to_owned(),
        r#"{{ $l := list 1 }}{{ range until 90000 }}{{ $l = dict "a" $l }}{{ end }}"#.to_owned(),
        format!("{{{{ fromJson `{}1{}` }}}}", "[".repeat(100), "]".repeat(100)),
        format!("{{{{ {}1{} }}}}", "(".repeat(30_000), ")".repeat(30_000)),
        format!("{{{{ {}1{} }}}}", "print (".repeat(7_000), ")".repeat(7_000)),
        format!("{}{}", "{{if 1}}".repeat(4_000), "{{end}}".repeat(4_000)),
        format!("{{{{if 0}}}}{}{{{{end}}}}", "{{else if 0}}".repeat(5_000)),
        format!("{{{{with 0}}}}{}{{{{end}}}}", "{{else\n with 0}}".repeat(4_000)),
        "x".repeat(70_000),
    ]);
    let deepest = format!(
        "{}{{{{ {}1{} }}}}{}{{{{end}}}}{}",
        "{{range 1}}".repeat(45),
        "(list ".repeat(30),
        ")".repeat(30),
        "{{if 0}}{{else}}{{if 0}}".to_owned() + &"{{else if 0}}".repeat(90) + "{{end}}",
        "{{end}}".repeat(45),
    );
    assert!(one(deepest).is_ok());
    assert_eq!(one(format!("{{{{ fromJson `{}` }}}}", "[".repeat(60_000))), Err(TemplateProblem::Failed));
}

#[test]
fn texts_end_before_the_memory() {
    let every = |function: &str| big(&format!("{{{{ $x := {function}{} }}}}", " $b".repeat(20_000)));
    too_much(["cat", "quote", "squote", "print", "println", "list", "concat", "coalesce", "eq"].map(every));
    too_much(
        [
            r#"{{ $x := regexReplaceAll "" $b $b }}"#,
            r#"{{ $x := regexReplaceAllLiteral "" $b $b }}"#,
            r#"{{ $x := regexReplaceAll ".+" $b "$0$0$0$0$0$0$0$0" }}"#,
            r#"{{ $x := replace "" $b $b }}"#,
            r#"{{ $x := replace "x" $b $b }}"#,
            "{{ $x := toJson (list $b $b $b $b $b) }}",
            "{{ $x := join $b (until 90000) }}",
            r#"{{ $x := indent 4096 (replace "x" "\n" $b) }}"#,
            r#"{{ $x := split "x" $b }}"#,
            "{{ range until 100 }}{{ $b = print $b $b }}{{ end }}",
        ]
        .map(big),
    );
    too_much([
        r#"{{ repeat 100000000 "x" }}"#.to_owned(),
        r#"{{ printf "%100000000d" 1 }}"#.to_owned(),
        r#"{{ printf "%*d" 100000000 1 }}"#.to_owned(),
        format!(r#"{{{{ printf "{}" 1 }}}}"#, "%[1]4096d".repeat(7_000)),
        format!(r#"{{{{ $b := repeat 9999 "x" }}}}{{{{ printf "{}" $b }}}}"#, "%[1]s".repeat(10_000)),
        r#"{{ $f := repeat 2000000 "%[" }}{{ printf $f 1 }}"#.to_owned(),
        "{{ $x := .password }}".to_owned() + &"{{ $x = print $x $x }}".repeat(40),
        "{{ range until 1000000000 }}x{{ end }}".to_owned(),
        "{{ $j := repeat 300000 `{\"a\":1},` }}{{ fromJson (print `[` $j `1]`) }}".to_owned(),
    ]);
}

#[test]
fn what_holds_itself_many_times_is_never_walked() {
    let doubled = |rest: &str| {
        let double = "{{ $x = list $x $x }}".repeat(40);
        format!("{{{{ $x := list 1 }}}}{double}{{{{ {rest} }}}}")
    };
    too_much(
        [
            "toString $x",
            "print $x",
            "println $x",
            "printf `%v` $x",
            "toJson $x",
            "toPrettyJson $x",
            "uniq $x",
            "has $x $x",
            "without $x $x",
            "sortAlpha $x",
            "join `` $x",
            "html $x",
            "js $x",
            "urlquery $x",
            "eq $x $x",
            "lt $x $x",
            "$x",
        ]
        .map(doubled),
    );
}

#[test]
fn loops_end() {
    let rounds = |body: &str| big(&format!("{{{{ range until 90000 }}}}{body}{{{{ end }}}}"));
    too_much(
        [
            "{{ $x := sha256sum $b }}",
            "{{ $x := contains `y` $b }}",
            "{{ $x := regexMatch `(x+x+)+y` $b }}",
            "{{ if eq $b $b }}{{ end }}",
            "{{ if lt $b $b }}{{ end }}",
            "{{ $x := slice $b 1 }}",
            "{{ $x := len $b }}",
            "{{ range until 90000 }}{{ end }}",
            "{{ range 90000 }}{{ if and 1 1 }}{{ end }}{{ end }}",
        ]
        .map(rounds),
    );
    too_much([
        "{{ range 9000000000 }}{{ end }}".to_owned(),
        "{{ range 9000000000 }}{{ continue }}{{ end }}".to_owned(),
        "{{ range 9000000000 }}x{{ end }}".to_owned(),
        "{{ range 9000000000 }}{{ with . }}{{ else }}{{ end }}{{ end }}".to_owned(),
        format!("{{{{ range 90000 }}}}{}{{{{ end }}}}", "{{ $x := 1 }}".repeat(4_000)),
        format!("{{{{ range 90000 }}}}{{{{ $x := and {} }}}}{{{{ end }}}}", "1 ".repeat(30_000)),
        format!("{0}{{{{ $x := add 1 1 }}}}{1}", "{{ range 99 }}".repeat(50), "{{ end }}".repeat(50)),
        "{{ range until 90000 }}{{ $x := dict `a` 1 | keys | first | upper | b64enc }}{{ end }}".to_owned(),
        r#"{{ $l := list 1 }}{{ range until 90000 }}{{ $l = append $l "0123456789" }}{{ end }}"#.to_owned(),
    ]);
}

#[test]
fn files_end() {
    let files = [
        "-----BEGIN CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
        "-----BEGIN X-----\n-----BEGIN Y-----\n-----END X-----\n",
        "-----BEGIN ",
        "-----",
    ];
    for file in files {
        for function in ["filterPEM `X`", "filterCertChain `leaf`", "certSANs"] {
            let call = format!("{{{{ $x := $f | {function} }}}}");
            drop(one(format!("{{{{ $f := repeat 20000 {file:?} }}}}{}", call.repeat(20))));
        }
    }
}

#[test]
fn what_is_kept_stays_small() {
    let each = |count: usize, shape: fn(usize) -> String| (0..count).map(shape).collect::<Vec<_>>().concat();
    let kept = each(200, |n| format!("{{{{ $v{n} := repeat 2000000 `x` }}}}"));
    let maps = each(4_000, |n| format!("{{{{ $v{n} := $d }}}}"));
    let split = "{{ $s := repeat 90000 `x,` | split `,` }}{{ $t := repeat 90000 `x,` | splitList `,` }}".repeat(90);
    let maps = format!("{{{{ $d := dict `a` 1 }}}}{}{maps}", "{{ range 90000 }}{{ $d = dict `a` (list $d) }}{{ end }}");
    too_much([kept, maps, split]);
}

#[test]
fn expressions_end() {
    let classes = "(?i)".to_owned() + &r"[^\x{1}-\x{10FFF0}]".repeat(200);
    let nested = format!("(?i){}a{}", "[^b".repeat(90), "]".repeat(90));
    let groups = "()".repeat(1_000);
    too_much([
        "{{ range until 90000 }}{{ $x := regexMatch `(a|b|c){100}` `abc` }}{{ end }}".to_owned(),
        format!("{{{{ range until 90000 }}}}{{{{ $x := regexMatch `{classes}` `abc` }}}}{{{{ end }}}}"),
        format!("{{{{ range until 90000 }}}}{{{{ $x := regexMatch `{nested}` `abc` }}}}{{{{ end }}}}"),
        "{{ range until 90000 }}{{ $x := regexMatch `(?i)[^\\x{1}-\\x{10FFF0}]` `abc` }}{{ end }}".to_owned(),
        "{{ range until 90000 }}{{ $x := regexMatch `(?i)[\\W&&[^a]]\\w+` `abc` }}{{ end }}".to_owned(),
        format!("{{{{ $x := regexMatch `{groups}` `abc` }}}}"),
        format!("{{{{ $x := regexMatch `{}` `abc` }}}}", "a".repeat(5_000)),
        "{{ $x := regexMatch `((a{100}){100}){100}` `abc` }}".to_owned(),
        "{{ range until 90000 }}{{ $x := regexMatch `(.{1,40}y){1,5}` (repeat 3000 `x`) }}{{ end }}".to_owned(),
        big("{{ $x := regexReplaceAll `x.*y|x` $b `z` }}"),
        big("{{ $x := regexSplit `x.*y|x` $b -1 }}"),
        big("{{ $x := regexFind `(x{1,60}y)+` $b }}"),
        "{{ range until 90000 }}{{ $x := regexMatch `((((.?.?)?.?)?.?)?.?)*z` (repeat 50000 `x`) }}{{ end }}"
            .to_owned(),
        "{{ range until 90000 }}{{ $x := regexReplaceAll `(.)(.)(.)(.)(.)(.)(.)|.` (repeat 9000 `xy`) `` }}{{ end }}"
            .to_owned(),
    ]);
    // A plain one on a plain file is nothing special.
    let file = r#"{{ $f := repeat 500 "0123456789012345678901234567890123456789012345678901234567890123\n" }}"#;
    assert_eq!(one(format!("{file}{{{{ regexReplaceAll `\\n` $f `` | len }}}}")).unwrap(), b"32000");
}

#[test]
fn templates_within_templates_are_refused() {
    let link = |n: usize| format!(r#"{{{{define "t{n}"}}}}{{{{template "t{}" .}}}}{{{{end}}}}"#, n + 1);
    let mut chain = (0..40).map(link).collect::<Vec<_>>().concat();
    chain.push_str(r#"{{template "t0" .}}"#);
    let sources = [
        chain.as_str(),
        r#"{{ template "a" }}"#,
        r#"{{ define "a" }}{{ end }}"#,
        r#"{{ if .password }}{{ block "a" . }}x{{ end }}{{ end }}"#,
        "{{ `\u{10FE41}` }}",
        "\u{10FE41}",
    ];
    for source in sources {
        assert_eq!(one(source), Err(TemplateProblem::Unsupported), "{source:.60}");
    }
    for name in ["call", "env"] {
        let never_run = format!("{{{{ if 0 }}}}{{{{ {name} 1 }}}}{{{{ end }}}}");
        assert_eq!(one(never_run), Err(TemplateProblem::UnknownFunction(name.into())));
    }
}

#[test]
fn the_items_of_one_secret_share_the_limits() {
    let all = |source: &str| made((0..1_000).map(|n| (format!("i{n}"), source.to_owned())).collect());
    assert_eq!(all("{{ range 5000 }}{{ end }}").unwrap_err(), TemplateProblem::TooMuch);
    assert_eq!(all("{{ repeat 2000 `x` }}").unwrap_err(), TemplateProblem::TooMuch);
    assert_eq!(all("{{ .password | b64enc }}").unwrap().len(), 1_000);
}
