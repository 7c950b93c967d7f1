//! `sealwax git merge`: what a merge driver owes to Git.

use insta::assert_snapshot;

use crate::common::{Outcome, Person, SECRET, Sandbox};
use crate::normalise::normalise;

/// Three files as Git hands them over.
struct Three {
    sandbox: Sandbox,
}

impl Three {
    fn of(base: impl AsRef<[u8]>, ours: impl AsRef<[u8]>, theirs: impl AsRef<[u8]>) -> Self {
        let sandbox = Sandbox::new();
        sandbox.write("O", base);
        sandbox.write("A", ours);
        sandbox.write("B", theirs);
        Self { sandbox }
    }

    /// An encrypted Secret, and what two people make of it by setting a value each.
    fn edited(ours: &str, theirs: &str) -> Self {
        let (sandbox, _) = Sandbox::with_policy();
        let base = sandbox.encrypted("db.yaml", SECRET);
        let set = |path: &str| {
            sandbox.write("db.yaml", &base);
            sandbox.sealwax(["set", "db.yaml", path]).input("s3cr3t-new").run().ok();
            sandbox.read("db.yaml")
        };
        let (ours, theirs) = (set(ours), set(theirs));
        Self::of(base, ours, theirs)
    }

    fn merge(&self, flags: &[&str]) -> Outcome {
        self.sandbox.sealwax(["git", "merge", "O", "A", "B", "--path", "apps/db.yaml"]).args(flags).run()
    }

    /// What Git makes of the same three texts.
    fn merged_by_git(&self) -> (Vec<u8>, bool) {
        let labels = ["-L", "ours", "-L", "base", "-L", "theirs"];
        let output = self.sandbox.command("git").args(["merge-file", "-p"]).args(labels).args(["A", "O", "B"]).output();
        let output = output.unwrap();
        (output.stdout, output.status.success())
    }

    fn result(&self) -> Vec<u8> {
        std::fs::read(self.sandbox.path("A")).unwrap()
    }
}

#[test]
fn says_nothing_when_all_is_well() {
    let three = Three::edited("username", "password");
    let [base, theirs] = ["O", "B"].map(|name| three.sandbox.read(name));
    assert_snapshot!(three.merge(&[]), @"exit 0");
    assert_eq!([base, theirs], ["O", "B"].map(|name| three.sandbox.read(name)), "only our file changes");
    let names: Vec<_> = std::fs::read_dir(three.sandbox.path(".")).unwrap().collect();
    assert_eq!(names.len(), 3, "{names:?}");
}

#[test]
fn a_conflict_stands_around_the_value_alone() {
    let three = Three::edited("password", "password");
    assert_snapshot!(three.merge(&["--marker-size", "9", "--labels", "%S", "HEAD", "%Y"]), @"
    exit 1
    err: warning: apps/db.yaml:11: stringData.password: changed on both sides
    ");
    assert_snapshot!(three.sandbox.show("A"), @"
    apiVersion: v1
    kind: Secret
    metadata:
      namespace: prod
      name: db
    stringData:
      # who
      username: >-
        ENC[wax1,SHORT,BASE64]
      password: >-   # keep
    <<<<<<<<< HEAD
        ENC[wax1,KEYID,BASE64,
        alice@FINGERPRINT:BASE64]
    =========
        ENC[wax1,KEYID,BASE64,
        alice@FINGERPRINT:BASE64]
    >>>>>>>>> theirs
    sealwax:
      version: 1
      sealedFor: {namespace: prod, name: db}
      key: KEYID
      readers:
        alice@FINGERPRINT: >-
          SHORT:BASE64
    ");
}

#[test]
fn shows_the_base_where_git_would() {
    for style in ["diff3", "zdiff3"] {
        let three = Three::edited("password", "password");
        three.sandbox.git(&["init", "--quiet"]);
        three.sandbox.git(&["config", "merge.conflictStyle", style]);
        assert_eq!(three.merge(&[]).code, Some(1));
        let text = String::from_utf8(three.result()).unwrap();
        let base = three.sandbox.read("O");
        let token = base.lines().filter(|line| line.contains("ENC[")).nth(1).unwrap();
        assert!(
            text.contains(&format!("||||||| base\n{token}\n=======\n")),
            "{}",
            normalise(&text, three.sandbox.root())
        );
    }
}

type Bytes = Vec<u8>;

#[test]
fn what_is_not_ours_is_merged_as_git_merges_text() {
    let sops = |value: &str, mac: &str| {
        format!(
            "a: ENC[AES256_GCM,data:{value}]\nb: 1\nsops:\n    mac: ENC[AES256_GCM,data:{mac}]\n    version: 3.9.0\n"
        )
    };
    let encrypted = {
        let (sandbox, _) = Sandbox::with_policy();
        sandbox.encrypted("db.yaml", SECRET)
    };
    let cases: [(&str, Bytes, Bytes, Bytes); 7] = [
        ("text, clean", b"a: 1\nb: 2\nc: 3\n".into(), b"a: 9\nb: 2\nc: 3\n".into(), b"a: 1\nb: 2\nc: 9\n".into()),
        ("text, not clean", b"a: 1\n".into(), b"a: 2\n".into(), b"a: 3\n".into()),
        ("nothing in common", b"".into(), b"a: 2\n".into(), b"a: 3\n".into()),
        ("SOPS", sops("x", "x").into(), sops("y", "y").into(), sops("z", "z").into()),
        ("no YAML", b"a: [\n".into(), b"a: [\nb\n".into(), b"a: [\n".into()),
        ("not UTF-8", b"a\xff\nb\nc\n".into(), b"a\xff\nb\nd\n".into(), b"e\xff\nb\nc\n".into()),
        (
            "markers left",
            encrypted.clone().into(),
            format!("<<<<<<< x\n{encrypted}").into(),
            format!("{encrypted}# y\n").into(),
        ),
    ];
    for (name, base, ours, theirs) in cases {
        let three = Three::of(base, ours, theirs);
        let (expected, clean) = three.merged_by_git();
        let outcome = three.merge(&[]);
        assert_eq!(outcome.stderr, "", "{name}");
        assert!(three.result() == expected, "{name}");
        // What names our tokens and cannot be read is never called merged.
        assert_eq!(outcome.code, Some(i32::from(!clean || name == "markers left")), "{name}");
    }
}

#[test]
fn binary_files_stay_as_they_are_and_conflict() {
    let three = Three::of(b"a\0b", b"c\0d", b"e\0f");
    assert_snapshot!(three.merge(&[]), @"exit 1");
    assert_eq!(three.result(), b"c\0d");
}

#[test]
fn trouble_is_a_conflict_and_ends_nothing_of_gits() {
    let three = Three::edited("username", "password");
    let cases: [&[&str]; 3] =
        [&["git", "merge", "O", "A", "missing"], &["git", "merge", "missing", "A", "B"], &["git", "merge", "O", "A"]];
    let before = three.result();
    for case in cases {
        let outcome = three.sandbox.sealwax(case.iter().copied()).run();
        assert!(matches!(outcome.code, Some(1..129)), "{outcome}");
        assert_eq!(three.result(), before, "ours stays");
    }
    // Without Git, what is no matter of values stays ours.
    let three = Three::of("a: 1\n", "a: 2\n", "a: 3\n");
    assert_snapshot!(three.sandbox.sealwax(["git", "merge", "O", "A", "B"]).env("PATH", "/nonexistent").run(), @"
    exit 1
    err: error: git merge-file: cannot be run: No such file or directory (os error 2)
    err: hint: Is Git installed?
    ");
    assert_eq!(three.result(), b"a: 2\n");
    // Nobody listens to what is left to a person.
    let three = Three::edited("password", "password");
    let run = format!("{} git merge O A B 2>&-", env!("CARGO_BIN_EXE_sealwax"));
    let status = three.sandbox.command("sh").args(["-c", &run]).status().unwrap();
    assert!(matches!(status.code(), Some(1..129)), "{status}");
    assert!(String::from_utf8(three.result()).unwrap().contains("<<<<<<< ours\n"));
}

#[test]
fn markers_do_not_fill_the_memory() {
    for size in ["0", "99999999999"] {
        let three = Three::edited("password", "password");
        assert_eq!(three.merge(&["--marker-size", size]).code, Some(1));
        let text = String::from_utf8(three.result()).unwrap();
        assert!(text.lines().any(|line| line.starts_with('<')) && text.len() < 10_000, "{size}");
    }
}

#[test]
fn two_keys_are_never_mixed_by_a_merge_of_text() {
    let (sandbox, _) = Sandbox::with_policy();
    let base = sandbox.encrypted("db.yaml", SECRET);
    let other = sandbox.encrypted("other.yaml", SECRET);
    let key = |text: &str| text.lines().find(|line| line.starts_with("  key:")).unwrap().to_owned();
    // Our side is no YAML, and its key block is of another key than the tokens that stay.
    let ours = base.replace(&key(&base), &key(&other)).replace("  # who\n", "  # who\n  ]\n");
    let theirs = base.replace("# keep", "# kept");
    let three = Three::of(base, ours, theirs);
    assert_eq!(three.merge(&[]).code, Some(1));
}

/// Two branches that have merged each other's work have two common ancestors. Each continues with work of its own.
fn criss_cross(ours: fn(&Sandbox), theirs: fn(&Sandbox)) -> (Sandbox, Person, bool) {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("db.yaml", SECRET);
    sandbox.write(".gitattributes", "*.yaml merge=sealwax\n");
    sandbox.commit_all();
    let driver = format!("{} git merge %O %A %B --marker-size %L --path %P", env!("CARGO_BIN_EXE_sealwax"));
    sandbox.git(&["config", "merge.sealwax.driver", &driver]);
    for (branch, path) in [("ours", "password"), ("theirs", "username")] {
        sandbox.git(&["checkout", "--quiet", "-b", branch, "main"]);
        sandbox.sealwax(["set", "db.yaml", path]).input("s3cr3t-first").run().ok();
        sandbox.git(&["commit", "--quiet", "--all", "--message", branch]);
        sandbox.git(&["tag", &format!("first-{branch}")]);
    }
    for (branch, other, work) in [("ours", "first-theirs", ours), ("theirs", "first-ours", theirs)] {
        sandbox.git(&["checkout", "--quiet", branch]);
        sandbox.git(&["merge", "--quiet", "--no-edit", other]);
        work(&sandbox);
    }
    let status = sandbox.command("git").args(["merge", "--quiet", "--no-edit", "ours"]).output().unwrap().status;
    (sandbox, alice, status.success())
}

#[test]
fn a_revert_stands_where_histories_cross() {
    let (sandbox, alice, clean) = criss_cross(|_| {}, |sandbox| sandbox.git(&["revert", "--no-edit", "first-ours"]));
    assert!(clean);
    let password = sandbox.sealwax(["get", "db.yaml", "password"]).by(&alice).run().ok();
    assert_eq!(password, "s3cr3t-pass");
}

#[test]
fn two_choices_clash_where_histories_cross() {
    fn set(sandbox: &Sandbox, value: &str) {
        sandbox.sealwax(["set", "db.yaml", "password"]).input(value).run().ok();
        sandbox.git(&["commit", "--quiet", "--all", "--message", value]);
    }
    let (sandbox, _, clean) = criss_cross(|sandbox| set(sandbox, "s3cr3t-1"), |sandbox| set(sandbox, "s3cr3t-2"));
    assert!(!clean);
    assert!(sandbox.read("db.yaml").contains("<<<<<<< ours\n"));
}
