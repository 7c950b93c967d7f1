//! Ways to hide a value that programs read all the same, and texts that are written to keep the gate busy.

use std::time::{Duration, Instant};

use super::check;
use crate::common::{MARK, SECRET, Sandbox};

/// A Secret without its kind.
const HEAD: &str = "apiVersion: v1\nmetadata: {name: db}\nstringData:\n  password: s3cr3t-pass\n";

/// What the gate tells of files on the disk: `RULE` for each, or nothing.
fn found(files: &[(&str, Vec<u8>)]) -> Vec<Vec<String>> {
    let sandbox = Sandbox::new();
    sandbox.git(&["init", "--quiet"]);
    for (name, bytes) in files {
        sandbox.write(name, bytes);
    }
    let told = check(&sandbox, &[]);
    let of = |name: &str| told.iter().filter(|found| found.path == name).map(|found| found.rule.clone()).collect();
    files.iter().map(|(name, _)| of(name)).collect()
}

fn in_quotes(indent: &str) -> String {
    SECRET.lines().map(|line| format!("{indent}{line}\n")).collect()
}

#[test]
fn nothing_that_programs_read_is_hidden() {
    assert!(SECRET.contains(MARK) && HEAD.contains(MARK));
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    let escaped = format!("{HEAD}kind: \"Sec\\\n  ret\"\n");
    let embedded = in_quotes("    ");
    let files: Vec<(&str, Vec<u8>)> = vec![
        // How the kind is written.
        ("continued-windows.yaml", escaped.replace('\n', "\r\n").into()),
        ("continued-mac.yaml", escaped.replace('\n', "\r").into()),
        ("tag.yaml", format!("{HEAD}kind: !<tag:yaml.org,2002:binary> U2VjcmV0\n").into()),
        ("directive.yaml", format!("%TAG ! tag:yaml.org,2002:\n---\n{HEAD}kind: !binary U2VjcmV0\n").into()),
        ("merge.yaml", format!("x: &x {{kind: Secret}}\n{HEAD}!!merge \"<<\": *x\n").into()),
        ("line-separator.yaml", format!("# x\u{2028}kind: Secret\n{HEAD}").into()),
        ("next-line.yaml", format!("# x\u{85}kind: Secret\n{HEAD}").into()),
        ("return.yaml", format!("# x\rkind: Secret\n{HEAD}").into()),
        ("twice.yaml", format!("kind: ConfigMap\n{HEAD}kind: \"Sec\\x72et\"\n").into()),
        ("list.yaml", "kind: SecretList\nitems:\n- stringData: {a: s3cr3t-pass}\n".into()),
        ("stream.json", "{\"kind\":\"List\"}\n{\"kind\":\"Secret\",\"stringData\":{\"a\":\"s3cr3t-pass\"}}\n".into()),
        ("stream.jsonl", "{\"kind\":\"List\"}\n{\"kind\":\"Secret\",\"stringData\":{\"a\":\"s3cr3t-pass\"}}\n".into()),
        // How the items are written.
        ("text.yaml", "kind: Secret\nstringData: |\n  password: s3cr3t-pass\n".into()),
        ("items.yaml", "kind: Secret\nstringData: [s3cr3t-pass]\n".into()),
        // Where it stands.
        ("array.yaml", "kind: ConfigMap\ndata:\n  a: '[{\"kind\":\"Secret\",\"data\":{\"a\":\"s3cr3t-pass\"}}]'\n".into()),
        ("template.yaml", format!("kind: ConfigMap\ndata:\n  a: |\n    {{{{ if .a }}}}\n{embedded}    {{{{ end }}}}\n").into()),
        ("long.yaml", format!("kind: ConfigMap\ndata:\n  a: |\n{embedded}{}", "    # filler filler\n".repeat(70_000)).into()),
        ("large.yaml", format!("{SECRET}{}", "# filler filler filler\n".repeat(250_000)).into()),
        // How the file is called and encoded.
        ("db.yaml.save", SECRET.into()),
        ("db.yaml~HEAD", SECRET.into()),
        ("db.yaml.jinja2", SECRET.into()),
        ("zero.yaml", format!("{SECRET}# \0\n").into()),
        ("half.yaml", [vec![0xff, 0xfe], wide("# "), vec![0x00, 0xd8], wide(&format!("\n{SECRET}"))].concat()),
        // Templates.
        ("flow.yaml", "{{ if .a }}\nkind: Secret\nstringData: {a: \"{{ .a }}\", b: s3cr3t-pass}\n{{ end }}\n".into()),
        ("braces.yaml", "{{ if .a }}\n{kind: Secret, stringData: {b: s3cr3t-pass}}\n{{ end }}\n".into()),
        ("lines.yaml", "{{ if .a }}\nkind: Secret\nstringData:\n  a: \"{{ .a }}\n    s3cr3t-pass\"\n{{ end }}\n".into()),
        ("default.yaml", "kind: Secret\nstringData:\n  a: {{ .a | default \"s3cr3t-pass\" | quote }}\n".into()),
        // Kustomize.
        (
            "patch/kustomization.yaml",
            "patches:\n- target: {kind: Secret}\n  patch: |-\n    - op: add\n      path: /stringData/a\n      value: s3cr3t-pass\n"
                .into(),
        ),
        (
            "generator/kustomization.yaml",
            "generators:\n- |-\n  kind: SecretGenerator\n  literals:\n  - a=s3cr3t-pass\n".into(),
        ),
    ];
    for ((name, _), rules) in files.iter().zip(found(&files)) {
        let leak = |rule: &String| ["WAX101", "WAX104", "WAX904"].contains(&rule.as_str());
        assert!(rules.iter().any(leak), "{name}: {rules:?}");
    }
}

#[test]
fn look_alikes_of_these_are_fine() {
    let files: Vec<(&str, Vec<u8>)> = vec![
        ("flow.yaml", "{{ if .a }}\nkind: Secret\nstringData: {a: \"{{ .a }}\", b: {{ .b | quote }}}\ntype: Opaque\n".into()),
        ("whole.yaml", "{{ if .a }}\nkind: Secret\ndata: {{ toYaml .a | nindent 2 }}\n{{ end }}\n".into()),
        ("comment.yaml", "{{ if .a }}\nkind: Secret\nstringData:\n  a: {{ .a }} # why\n  b: {{ quote .b }}\n{{ end }}\n".into()),
        ("list.yaml", "kind: SecretList\nitems:\n- kind: ConfigMap\n  data: {a: b}\n".into()),
        (
            "patch/kustomization.yaml",
            "patches:\n- target: {kind: Secret}\n  patch: |-\n    - op: add\n      path: /metadata/labels/a\n      value: b\n"
                .into(),
        ),
        ("separator.yaml", "kind: ConfigMap\ndata:\n  a: \"one\u{2028}a Secret\"\n".into()),
    ];
    for ((name, _), rules) in files.iter().zip(found(&files)) {
        assert!(rules.is_empty(), "{name}: {rules:?}");
    }
}

#[test]
fn private_keys_in_base64_are_found_however_it_is_broken_into_lines() {
    let sandbox = Sandbox::new();
    let key = std::fs::read_to_string(sandbox.person("alice").file).unwrap();
    let line = key.lines().find(|line| line.starts_with("AGE-")).unwrap();
    for (name, text) in [("line", line.to_owned()), ("more", format!("{line}\n")), ("file", key.clone())] {
        let encoded = sealwax_format::base64::encode(text.as_bytes());
        let broken: Vec<_> = encoded.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
        sandbox.write("folder/one.txt", format!("key: {encoded}\nmore words\n"));
        sandbox.write("folder/many.txt", format!("{}\nmore words\n", broken.join("\n")));
        let found = super::rules(&sandbox, &["folder"]);
        assert_eq!(found, ["WAX501 many.txt", "WAX501 one.txt"], "{name}");
    }
}

#[test]
fn no_text_keeps_the_gate_busy() {
    let sandbox = Sandbox::new();
    let key = std::fs::read_to_string(sandbox.person("alice").file).unwrap();
    let merges = |of: usize| (0..8).map(|_| format!("*a{of}")).collect::<Vec<_>>().join(", ");
    let multiply: String =
        (1..17).map(|level| format!("a{level}: &a{level} {{<<: [{}]}}\n", merges(level - 1))).collect();
    let entries = |count: usize| (0..count).map(|index| format!("  a{index}: b{index}\n")).collect::<String>();
    let many = entries(20_000);
    let sops = "sops: {mac: a, version: 3, lastmodified: a, age: [{recipient: a}], encrypted_comment_regex: b}\n";
    for (name, text) in [
        ("merges.yaml", format!("# Secret\na0: &a0 {{a: b}}\n{multiply}")),
        ("wide.yaml", format!("kind: Secret\nx: &x\n{many}stringData:\n  <<: *x\n")),
        ("comments.yaml", format!("a:\n{many}{sops}")),
        ("keys.txt", key.repeat(10_000)),
        ("allow.yaml", "# sealwax:allow WAX101 for a reason\n".repeat(20_000)),
    ] {
        sandbox.write(&format!("{name}/{name}"), text);
        let start = Instant::now();
        assert!(sandbox.sealwax(["check", name]).run().code.is_some(), "{name}");
        assert!(start.elapsed() < Duration::from_secs(20), "{name}: {:?}", start.elapsed());
    }
}

#[test]
fn a_conflict_that_is_allowed_hides_nothing() {
    let text = format!(
        "# sealwax:allow-file WAX505 an example of a conflict\n# ENC[wax1,\nx: |\n{}{SECRET}",
        "<<<<<<< a\n=======\n>>>>>>> b\n"
    );
    let rules = found(&[("a.yaml", text.into())]).remove(0);
    assert!(rules.contains(&"WAX101".to_owned()), "{rules:?}");
}

/// Several threads, with a document as deep as can be read in a text of one, in a text of one.
#[test]
fn deep_documents_do_not_end_the_process() {
    let sandbox = Sandbox::new();
    let deep = |text: &str| format!("{}{text}{}", "{a: ".repeat(250), "}".repeat(250));
    let quoted = |text: &str| serde_json::to_string(&format!("{text}\n")).unwrap();
    let text = (0..4).fold("kind: Secret".to_owned(), |text, _| deep(&quoted(&text)));
    for index in 0..300 {
        let text = if index % 100 == 0 { format!("# Secret\n{text}\n") } else { "a: b\n".to_owned() };
        sandbox.write(&format!("folder/{index}.yaml"), text);
    }
    let outcome = sandbox.sealwax(["check", "folder"]).run();
    assert!(matches!(outcome.code, Some(0..=3)), "{outcome}");
}
