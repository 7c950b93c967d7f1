//! What lets a finding through: a comment with a reason, and the baseline.

use insta::assert_snapshot;

use super::{assert_silent, rules};
use crate::common::{SECRET, Sandbox};

fn leak() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.git(&["init", "--quiet"]);
    sandbox.write("db.yaml", SECRET);
    sandbox
}

#[test]
fn a_comment_allows_its_rule_at_its_place() {
    let sandbox = leak();
    let above = |comment: &str| SECRET.replace("stringData:", &format!("{comment}\nstringData:"));
    sandbox.write("db.yaml", above("# sealwax:allow WAX101 a demo for the tutorial"));
    assert_eq!(rules(&sandbox, &[]), [""; 0]);
    assert_snapshot!(sandbox.sealwax(["check"]).run(), @"
    exit 0
    err: 1 file checked: 0 errors, 0 warnings, 0 notices; 2 allowed by comments
    ");
    sandbox.write("db.yaml", above("# sealwax:allow WAX101"));
    assert_eq!(rules(&sandbox, &[]), ["WAX101 db.yaml", "WAX901 db.yaml"]);
    sandbox.write("db.yaml", above("# sealwax:allow WAX102 another rule"));
    assert_eq!(rules(&sandbox, &[]), ["WAX101 db.yaml", "WAX902 db.yaml"]);
    sandbox.write("db.yaml", format!("# sealwax:allow-file WAX101 a demo for the tutorial\n{SECRET}"));
    assert_eq!(rules(&sandbox, &[]), [""; 0]);
    sandbox.write("db.yaml", SECRET.replace("# keep", "# sealwax:allow WAX101 a demo"));
    assert_eq!(rules(&sandbox, &[]), ["WAX101 db.yaml"], "the other value stays found");
}

#[test]
fn the_baseline_excuses_what_was_there() {
    let sandbox = leak();
    let baseline = ["--baseline", "baseline.json"];
    assert_eq!(sandbox.sealwax(["check"]).args(&baseline).run().code, Some(2), "there is none yet");
    let outcome = sandbox.sealwax(["check", "--update-baseline"]).args(&baseline).run();
    assert_silent(&outcome);
    outcome.ok();
    assert_snapshot!(sandbox.read("baseline.json"), @r#"
    {
      "version": 1,
      "findings": {
        "76230223a42929f73156f52404716c29": {
          "rule": "WAX101",
          "path": "db.yaml",
          "key": "stringData.password"
        },
        "d21f30e2b08605b263ad76a5c4aca745": {
          "rule": "WAX101",
          "path": "db.yaml",
          "key": "stringData.username"
        }
      }
    }
    "#);
    assert_eq!(rules(&sandbox, &baseline), [""; 0]);
    sandbox.write("db.yaml", SECRET.replace("s3cr3t-pass", "s3cr3t-other"));
    assert_eq!(rules(&sandbox, &baseline), [""; 0], "it is about the place and not about the value");
    sandbox.write("db.yaml", format!("{SECRET}  added: s3cr3t\n"));
    assert_eq!(rules(&sandbox, &baseline), ["WAX101 db.yaml"]);
    sandbox.sealwax(["check", "--update-baseline"]).args(&baseline).run().ok();
    assert_eq!(rules(&sandbox, &baseline), [""; 0]);
    sandbox.write("baseline.json", "{\"version\": 2, \"findings\": {}}");
    assert_eq!(sandbox.sealwax(["check"]).args(&baseline).run().code, Some(2));
    assert_eq!(sandbox.sealwax(["check", "--update-baseline"]).run().code, Some(2));
}

#[test]
fn an_entry_of_the_baseline_without_its_finding_is_told() {
    let sandbox = leak();
    let baseline = ["--baseline", "baseline.json"];
    sandbox.sealwax(["check", "--update-baseline"]).args(&baseline).run().ok();
    sandbox.write("db.yaml", SECRET.replace("  username: s3cr3t-user\n", ""));
    assert_eq!(rules(&sandbox, &baseline), ["WAX903 baseline.json"]);
    let outcome = sandbox.sealwax(["check"]).args(&baseline).run();
    assert_eq!(outcome.code, Some(0), "a notice stops nothing: {outcome}");
    let part = sandbox.sealwax(["check", ".gitignore"]).args(&baseline);
    sandbox.write(".gitignore", "\n");
    assert_eq!(String::from_utf8_lossy(&part.run().stdout), "", "not told where only a part was looked at");
}

#[test]
fn a_second_key_in_a_file_is_not_excused_by_the_first() {
    let sandbox = leak();
    let key = |name: &str| std::fs::read_to_string(sandbox.person(name).file).unwrap();
    let (first, second) = (key("alice"), key("bob"));
    sandbox.write("db.yaml", "a: b\n");
    sandbox.write("keys.txt", &first);
    let baseline = ["--baseline", "baseline.json"];
    sandbox.sealwax(["check", "--update-baseline"]).args(&baseline).run().ok();
    assert_eq!(rules(&sandbox, &baseline), [""; 0]);
    sandbox.write("keys.txt", first + &second);
    assert_eq!(rules(&sandbox, &baseline), ["WAX501 keys.txt"]);
}
