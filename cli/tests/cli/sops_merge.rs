//! Merging files of SOPS value by value, with a key of the file, and what happens without one.

use insta::assert_snapshot;

use crate::common::{Outcome, Person, Sandbox};

const VALUES: &str = "db:\n  user: app\n  password: s3cr3t-1\n  token: s3cr3t-2\nlist:\n  - s3cr3t-a\n  - s3cr3t-b\n";

/// A file of SOPS, and what two sides make of it.
struct Three {
    sandbox: Sandbox,
    alice: Person,
    bob: Person,
}

impl Three {
    fn new(ours: impl Fn(&Self), theirs: impl Fn(&Self)) -> Self {
        let sandbox = Sandbox::new();
        let (alice, bob) = (sandbox.person("alice"), sandbox.person("bob"));
        let three = Self { sandbox, alice, bob };
        three.rules(&[&three.alice, &three.bob]);
        three.sandbox.write("file.yaml", VALUES);
        three.sandbox.sealwax(["encrypt", "file.yaml"]).run().ok();
        let base = three.sandbox.read("file.yaml");
        three.sandbox.write("O.yaml", &base);
        ours(&three);
        three.sandbox.write("A.yaml", three.sandbox.read("file.yaml"));
        three.sandbox.write("file.yaml", &base);
        theirs(&three);
        three.sandbox.write("B.yaml", three.sandbox.read("file.yaml"));
        three
    }

    fn rules(&self, people: &[&Person]) {
        let age: Vec<_> = people.iter().map(|person| person.recipient.as_str()).collect();
        let rule = format!("  - age: {}\n    unencrypted_regex: ^user$\n", age.join(","));
        self.sandbox.write(".sops.yaml", format!("creation_rules:\n{rule}"));
    }

    fn set(&self, path: &str, value: &str) {
        self.sandbox.sealwax(["set", "file.yaml", path]).input(value).by(&self.alice).run().ok();
    }

    fn edit(&self, script: &str) {
        let editor = self.sandbox.script("editor", script);
        self.sandbox.sealwax(["edit", "file.yaml"]).by(&self.alice).env("EDITOR", editor).run().ok();
    }

    fn merge(&self, person: Option<&Person>) -> Outcome {
        let run = self.sandbox.sealwax(["git", "merge", "O.yaml", "A.yaml", "B.yaml", "--path", "file.yaml"]);
        let run = if let Some(person) = person { run.by(person) } else { run };
        run.run()
    }

    fn plain(&self, person: &Person) -> Outcome {
        self.sandbox.sealwax(["decrypt", "A.yaml"]).by(person).run()
    }
}

#[test]
fn neighbouring_values_of_two_sides_are_joined() {
    let three =
        Three::new(|three| three.set("db.password", "s3cr3t-ours"), |three| three.set("db.token", "s3cr3t-theirs"));
    assert_snapshot!(three.merge(Some(&three.alice)), @"exit 0");
    let expected = VALUES.replace("s3cr3t-1", "s3cr3t-ours").replace("s3cr3t-2", "s3cr3t-theirs");
    assert_eq!(three.plain(&three.bob).ok(), expected, "and the checksum fits");
    let (ours, merged) = (three.sandbox.read("B.yaml"), three.sandbox.read("A.yaml"));
    let token = |text: &str| text.lines().find(|line| line.contains("token:")).map(str::to_owned);
    assert_eq!(token(&ours), token(&merged), "a value keeps its ciphertext");
}

/// Merges three texts of a type, encrypted; what became of ours.
fn merged(name: &str, texts: [&str; 3]) -> (Outcome, String) {
    let sandbox = Sandbox::new();
    let alice = sandbox.person("alice");
    sandbox.write(".sops.yaml", format!("creation_rules:\n  - age: {}\n", alice.recipient));
    for (side, text) in ["O", "A", "B"].into_iter().zip(texts) {
        if side == "O" {
            sandbox.write(name, text);
            sandbox.sealwax(["encrypt", name]).run().ok();
            sandbox.write("base", sandbox.read(name));
        } else {
            sandbox.write(name, sandbox.read("base"));
            let editor = sandbox.script("editor", &format!("cat > \"$1\" <<'END'\n{text}END"));
            sandbox.sealwax(["edit", name]).by(&alice).env("EDITOR", editor).run().ok();
        }
        sandbox.write(side, sandbox.read(name));
    }
    let outcome = sandbox.sealwax(["git", "merge", "O", "A", "B", "--path", name]).by(&alice).run();
    sandbox.write(name, sandbox.read("A"));
    let plain = sandbox.sealwax(["decrypt", name]).by(&alice).run();
    let text = if outcome.code == Some(0) { plain.ok() } else { sandbox.read("A") };
    (outcome, text)
}

#[test]
fn dotenv_and_ini_are_merged_name_by_name() {
    let dotenv = "# head\nA=one\nB=two\nC=three\n";
    let (ours, theirs) = ("# head\nA=ours\nB=two\nC=three\nD=ours\n", "# theirs\nA=one\nB=theirs\nE=theirs\n");
    let (outcome, text) = merged("app.env", [dotenv, ours, theirs]);
    assert_eq!((outcome.code, text.as_str()), (Some(0), "# theirs\nA=ours\nB=theirs\nE=theirs\nD=ours\n"), "{outcome}");

    let ini = "[db]\nuser = app\npassword = one\n\n[smtp]\npassword = two\n";
    let (outcome, text) = merged(
        "app.ini",
        [ini, &ini.replace("one", "ours"), &ini.replace("= app", "= theirs").replace("two", "theirs")],
    );
    let expected = ini.replace("one", "ours").replace("= app", "= theirs").replace("two", "theirs");
    assert_eq!((outcome.code, text), (Some(0), expected), "{outcome}");

    for texts in [
        [ini, &ini.replace("one", "ours"), "[db]\nuser = app\npassword = one\n"],
        [ini, "[db]\nuser = app\npassword = one\n", &ini.replace("one", "ours")],
    ] {
        let (outcome, text) = merged("app.ini", texts);
        assert_eq!((outcome.code, text.trim_end()), (Some(0), "[db]\nuser = app\npassword = ours"), "{outcome}");
    }

    let empty = format!("{ini}\n[empty]\n");
    let (outcome, text) = merged("app.ini", [ini, &ini.replace("one", "ours"), &empty]);
    assert_eq!((outcome.code, text), (Some(0), empty.replace("one", "ours")), "{outcome}");

    // The same name, or the comments of both: left to a person.
    for theirs in ["# head\nA=theirs\nB=two\nC=three\n", "# theirs\nA=one\nB=two\nC=three\n"] {
        let (outcome, text) = merged("app.env", [dotenv, "# ours\nA=ours\nB=two\nC=three\n", theirs]);
        assert_eq!(outcome.code, Some(1), "{outcome}");
        assert!(text.contains("<<<<<<<") && !text.contains("A=theirs"), "{text}");
    }
}

#[test]
fn without_a_key_the_checksum_is_a_conflict() {
    let three =
        Three::new(|three| three.set("db.password", "s3cr3t-ours"), |three| three.set("list[1]", "s3cr3t-theirs"));
    let outcome = three.merge(None);
    assert_eq!(outcome.code, Some(1));
    let text = three.sandbox.read("A.yaml");
    assert_eq!(text.matches("<<<<<<<").count(), 1, "{text}");
    let (_, after) = text.split_once("<<<<<<<").unwrap();
    assert!(after.contains("mac: ENC["), "{text}");
}

#[test]
fn one_value_changed_on_both_sides_is_a_conflict_about_it_alone() {
    let three =
        Three::new(|three| three.set("db.password", "s3cr3t-ours"), |three| three.set("db.password", "s3cr3t-theirs"));
    let ours = three.sandbox.read("A.yaml");
    assert_snapshot!(three.merge(Some(&three.alice)), @"
    exit 1
    err: warning: file.yaml:3: db.password: changed on both sides
    err: hint: file.yaml: keep one side of each and delete the markers, then write its checksum: `sealwax edit --ignore-mac file.yaml`
    ");
    let text = three.sandbox.read("A.yaml");
    assert_snapshot!(three.sandbox.show("A.yaml").split("\nsops:").next().unwrap(), @"
    db:
      user: app
    <<<<<<< ours
      password: ENC[AES256_GCM,data:BASE64,iv:BASE64,tag:BASE64,type:str]
    =======
      password: ENC[AES256_GCM,data:BASE64,iv:BASE64,tag:BASE64,type:str]
    >>>>>>> theirs
      token: ENC[AES256_GCM,data:BASE64,iv:BASE64,tag:BASE64,type:str]
    list:
      - ENC[AES256_GCM,data:BASE64,iv:BASE64,tag:BASE64,type:str]
      - ENC[AES256_GCM,data:BASE64,iv:BASE64,tag:BASE64,type:str]
    ");
    assert!(!text.contains("wax1") && !text.contains("sealedFor"), "{text}");
    three.sandbox.git(&["init", "--quiet"]);
    three.sandbox.git(&["config", "merge.conflictStyle", "diff3"]);
    three.sandbox.write("A.yaml", &ours);
    assert_eq!(three.merge(Some(&three.alice)).code, Some(1));
    let with_base = three.sandbox.read("A.yaml");
    assert!(with_base.contains("\n||||||| base\n  password: ENC["), "{with_base}");
    // Their side is taken.
    let lines: Vec<_> = text.lines().collect();
    let start = lines.iter().position(|line| line.starts_with("<<<<<<<")).unwrap();
    let resolved: Vec<_> =
        lines[..start].iter().chain(&lines[start + 3..start + 4]).chain(&lines[start + 5..]).collect();
    let resolved: String = resolved.iter().map(|line| format!("{line}\n")).collect();
    three.sandbox.write("A.yaml", resolved);
    assert_eq!(three.plain(&three.alice).code, Some(1), "the checksum does not fit yet");
    let editor = three.sandbox.script("nothing", "true");
    let edit = three.sandbox.sealwax(["edit", "--ignore-mac", "A.yaml"]).by(&three.alice).env("EDITOR", editor);
    edit.run().ok();
    assert_eq!(three.plain(&three.alice).ok(), VALUES.replace("s3cr3t-1", "s3cr3t-theirs"));
}

#[test]
fn who_was_removed_stays_removed() {
    for flip in [false, true] {
        let edits = |three: &Three| three.set("db.password", "s3cr3t-edited");
        let removes = |three: &Three| {
            three.rules(&[&three.alice]);
            three.sandbox.sealwax(["rekey", "--accept-recipients", "file.yaml"]).by(&three.alice).run().ok();
            three.rules(&[&three.alice, &three.bob]);
        };
        let three = if flip { Three::new(removes, edits) } else { Three::new(edits, removes) };
        assert_eq!(three.merge(Some(&three.alice)).to_string(), "exit 0\n");
        assert_eq!(three.plain(&three.alice).ok(), VALUES.replace("s3cr3t-1", "s3cr3t-edited"));
        assert_eq!(three.plain(&three.bob).code, Some(1), "under a key that he never had");
    }
}

#[test]
fn readers_and_entries_of_both_sides_come_together() {
    let three = Three::new(
        |three| {
            let carol = three.sandbox.person("carol");
            three.rules(&[&three.alice, &three.bob, &carol]);
            three.sandbox.sealwax(["rekey", "--accept-recipients", "file.yaml"]).by(&three.alice).run().ok();
            three.rules(&[&three.alice, &three.bob]);
        },
        |three| three.edit("sed -i -e 's/- s3cr3t-b/- s3cr3t-b\\n  - s3cr3t-c/' -e 's/user: app/user: other/' \"$1\""),
    );
    assert_eq!(three.merge(Some(&three.alice)).to_string(), "exit 0\n");
    let expected = VALUES.replace("- s3cr3t-b\n", "- s3cr3t-b\n  - s3cr3t-c\n").replace("user: app", "user: other");
    for person in ["alice", "bob", "carol"] {
        let file = three.sandbox.root().join("people").join(format!("{person}.txt"));
        let run = three.sandbox.sealwax(["decrypt", "A.yaml"]).env("SOPS_AGE_KEY_FILE", file).run();
        assert_eq!(run.ok(), expected, "{person}");
    }
}

#[test]
fn nobody_is_merged_into_the_readers() {
    // The list of readers is not in the checksum, so that anyone can write one into it.
    for rotated in [false, true] {
        let planted = |three: &Three| {
            let mallory = three.sandbox.person("mallory");
            let text = three.sandbox.read("file.yaml");
            let entry = format!("    age:\n        - enc: x\n          recipient: {}\n", mallory.recipient);
            assert!(text.contains("    age:\n"), "{text}");
            three.sandbox.write("file.yaml", text.replacen("    age:\n", &entry, 1));
        };
        let edits = |three: &Three| {
            if rotated {
                three.sandbox.sealwax(["rotate", "file.yaml"]).by(&three.alice).run().ok();
            }
            three.set("db.password", "s3cr3t-edited");
        };
        let three = Three::new(edits, planted);
        let _ = three.merge(Some(&three.alice));
        assert!(three.sandbox.read("A.yaml").contains("ENC["));
        let file = three.sandbox.root().join("people/mallory.txt");
        let run = three.sandbox.sealwax(["decrypt", "A.yaml"]).env("SOPS_AGE_KEY_FILE", file).run();
        assert_ne!(run.code, Some(0), "{run}");
    }
}

#[test]
fn a_narrower_selector_leaves_nothing_of_the_other_side_in_the_clear() {
    let three = Three::new(
        |three| three.set("db.token", "s3cr3t-edited"),
        |three| {
            let text = three.sandbox.read("file.yaml");
            // Not in the checksum: no value that is there now is selected otherwise.
            three
                .sandbox
                .write("file.yaml", text.replace("unencrypted_regex: ^user$", "unencrypted_regex: ^(user|smtp)$"));
            three
                .sandbox
                .write("file.yaml", three.sandbox.read("file.yaml").replace("\"^user$\"", "\"^(user|smtp)$\""));
        },
    );
    three.sandbox.write("file.yaml", three.sandbox.read("A.yaml"));
    three.set("smtp.password", "s3cr3t-smtp");
    three.sandbox.write("key", [0xff, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
    three.sandbox.sealwax(["set", "file.yaml", "smtp.key", "--value-file", "key"]).by(&three.alice).run().ok();
    let both = three.sandbox.read("file.yaml");
    three.sandbox.sealwax(["unset", "file.yaml", "smtp.password"]).by(&three.alice).run().ok();
    for ours in [both, three.sandbox.read("file.yaml")] {
        three.sandbox.write("A.yaml", ours);
        let _ = three.merge(Some(&three.alice));
        let text = three.sandbox.read("A.yaml");
        assert!(!text.contains("s3cr3t") && !text.contains("/wABAgME"), "{text}");
    }
}

#[test]
fn two_new_data_keys_become_one_and_both_edits_are_under_it() {
    let rotated = |path: &'static str, value: &'static str| {
        move |three: &Three| {
            three.sandbox.sealwax(["rotate", "file.yaml"]).by(&three.alice).run().ok();
            three.set(path, value);
        }
    };
    let three = Three::new(rotated("db.password", "s3cr3t-ours"), rotated("db.token", "s3cr3t-theirs"));
    assert_eq!(three.merge(Some(&three.alice)).to_string(), "exit 0\n");
    let expected = VALUES.replace("s3cr3t-1", "s3cr3t-ours").replace("s3cr3t-2", "s3cr3t-theirs");
    for person in [&three.alice, &three.bob] {
        assert_eq!(three.plain(person).ok(), expected);
    }
}

#[test]
fn a_name_that_is_also_a_secret_hinders_nothing() {
    let sandbox = Sandbox::new();
    let alice = sandbox.person("alice");
    let rule = format!("  - age: {}\n    unencrypted_regex: ^user$\n", alice.recipient);
    sandbox.write(".sops.yaml", format!("creation_rules:\n{rule}"));
    let text = "user: postgres\nlogin: postgres\na: s3cr3t-a\nb: s3cr3t-b\n";
    sandbox.write("O.yaml", text);
    sandbox.sealwax(["encrypt", "O.yaml"]).run().ok();
    for (side, path) in [("A.yaml", "a"), ("B.yaml", "b")] {
        sandbox.write(side, sandbox.read("O.yaml"));
        sandbox.sealwax(["set", side, path]).input("s3cr3t-new").by(&alice).run().ok();
    }
    sandbox.sealwax(["git", "merge", "O.yaml", "A.yaml", "B.yaml", "--path", "file.yaml"]).by(&alice).run().ok();
    let merged = sandbox.sealwax(["decrypt", "A.yaml"]).by(&alice).run().ok();
    assert_eq!(merged, text.replace("s3cr3t-a", "s3cr3t-new").replace("s3cr3t-b", "s3cr3t-new"));
}

#[test]
fn encrypted_comments_stay_encrypted_and_hinder_nothing() {
    let sandbox = Sandbox::new();
    let alice = sandbox.person("alice");
    sandbox.write(".sops.yaml", format!("creation_rules:\n  - age: {}\n", alice.recipient));
    let text =
        "# n0te\ndb:\n  # n0te\n  a: s3cr3t-a\n  b: s3cr3t-b\nlist:\n  # n0te\n  - s3cr3t-c\n# n0te\nend: s3cr3t-d\n";
    sandbox.write("O.yaml", text);
    sandbox.sealwax(["encrypt", "O.yaml"]).run().ok();
    for (side, path) in [("A.yaml", "db.a"), ("B.yaml", "db.b")] {
        sandbox.write(side, sandbox.read("O.yaml"));
        sandbox.sealwax(["set", side, path]).input("s3cr3t-new").by(&alice).run().ok();
    }
    let merge = sandbox.sealwax(["git", "merge", "O.yaml", "A.yaml", "B.yaml", "--path", "file.yaml"]).by(&alice).run();
    assert_eq!(merge.to_string(), "exit 0\n");
    let merged = sandbox.read("A.yaml");
    assert_eq!(merged.matches("#ENC[").count(), text.matches('#').count(), "{merged}");
    let expected = text.replace("s3cr3t-a", "s3cr3t-new").replace("s3cr3t-b", "s3cr3t-new");
    assert_eq!(sandbox.sealwax(["decrypt", "A.yaml"]).by(&alice).run().ok(), expected);
}
