//! Names, flags, variables, help.

use insta::assert_snapshot;

use super::Desk;

#[test]
fn the_name_sops_is_enough() {
    let desk = Desk::with_file();
    let printed = |words: &[&str]| {
        let output = desk.by_name().args(words).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stderr.is_empty(), "{words:?}: tools read both streams as one");
        String::from_utf8(output.stdout).unwrap()
    };
    let version = printed(&["--version", "--disable-version-check"]);
    let number = version.split_whitespace().nth(1).unwrap();
    let numbers: Vec<u32> = number.split('.').map(|part| part.parse().unwrap()).collect();
    assert!(version.starts_with("sops ") && numbers >= vec![3, 13, 3], "{version}");
    assert_eq!(printed(&["-v"]), version);
    assert_eq!(printed(&["decrypt", "--extract", "[\"n\"]", "e.yaml"]), "5\n");
    assert_eq!(printed(&["-d", "e.yaml"]), super::VALUES);
}

#[test]
fn flags_stand_where_sops_takes_them() {
    let desk = Desk::with_file();
    let prints = |words: &[&str]| desk.sops(words.iter().copied()).run().ok();
    for words in [
        ["decrypt", "--extract", "[\"a\"]", "e.yaml"],
        ["decrypt", "-extract", "[\"a\"]", "e.yaml"],
        ["decrypt", "e.yaml", "--extract", "[\"a\"]"],
        ["--decrypt", "--extract=[\"a\"]", "--", "e.yaml"],
        ["-d=true", "-extract", "[\"a\"]", "e.yaml"],
    ] {
        assert_eq!(prints(&words), "s3cr3t-a", "{words:?}");
    }
    // Before the name of a command, and after a file where no command is named, flags are none.
    let outcome = desk.sops(["--extract", "[\"a\"]", "decrypt", "e.yaml"]).run();
    assert!(outcome.stderr.contains("--extract stands before decrypt"), "{outcome}");
    assert_snapshot!(desk.sops(["-d", "e.yaml", "--extract", "[\"n\"]"]).run().stderr, @r#"
    warning: More than one positional argument provided. Only the first one will be used!
    warning: One of the others looks like a flag: flags stand before the file.
    "#);
}

#[test]
fn what_is_no_flag_is_told_and_nothing_is_done() {
    let desk = Desk::with_file();
    assert_snapshot!(desk.sops(["decrypt", "--nope", "e.yaml"]).run(), @"
    exit 1
    err: Incorrect Usage: flag provided but not defined: -nope
    err: hint: `sops decrypt --help` lists the flags.
    ");
    // The value may be a secret.
    let outcome = desk.sops(["--indent", "s3cr3t", "decrypt", "e.yaml"]).run();
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert_eq!(desk.code(["decrypt", "e.yaml", "--output"]), Some(1));
    assert_eq!(desk.sops(["decrypt", "e.yaml"]).env("SOPS_ENABLE_LOCAL_KEYSERVICE", "maybe").run().code, Some(1));
}

#[test]
fn help_lists_every_command_and_its_flags() {
    let desk = Desk::new();
    let all = desk.sops(["help"]).run().ok();
    let output = desk.by_name().arg("--help").output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), all);
    for command in ["encrypt", "decrypt", "edit", "set", "unset", "rotate", "updatekeys", "exec-env", "exec-file"] {
        assert!(all.contains(&format!("   {command} ")), "{command}");
        let own = desk.sops([command, "--help"]).run().ok();
        assert_eq!(desk.sops(["help", command]).run().ok(), own);
        assert!(own.starts_with(&format!("NAME:\n   sops {command} - ")) && own.contains("OPTIONS:"), "{own}");
    }
    assert!(desk.sops(["groups"]).run().ok().contains("groups delete"));
    assert_eq!(desk.code(["groups", "nope"]), Some(3));
    assert_eq!(desk.code(["help", "nope"]), Some(3));
}

#[test]
fn completions_are_scripts() {
    let desk = Desk::new();
    let script = desk.sops(["completion", "bash"]).run().ok();
    let output = desk.sandbox.command("bash").args(["-n", "-c", &script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let complete = format!("{script}\nCOMP_WORDS=(sops decrypt --ext) COMP_CWORD=2; _sops; echo \"${{COMPREPLY[@]}}\"");
    let output = desk.sandbox.command("bash").args(["-c", &complete]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "--extract\n");
    assert!(desk.sops(["completion", "zsh"]).run().ok().starts_with("#compdef sops\n"));
}

#[test]
fn what_sops_does_and_this_does_not_is_refused() {
    let desk = Desk::with_file();
    assert_snapshot!(desk.sops(["publish", "e.yaml"]).run(), @"
    exit 1
    err: sops publish is not supported by sealwax: it copies nothing to S3, GCS or Vault
    err: hint: Decrypt with `sops decrypt`, and write the values with the tools of the service; or use SOPS itself.
    ");
    assert_eq!(desk.code(["keyservice", "--network", "unix", "--address", "/tmp/x"]), Some(1));
    let outcome = desk.sops(["decrypt", "--keyservice", "tcp://keys:5000", "e.yaml"]).run();
    assert!(outcome.code == Some(1) && outcome.stdout.is_empty(), "{outcome}");
    let outcome = desk.sops(["-d", "e.yaml"]).env("SOPS_KEYSERVICE", "tcp://keys:5000").run();
    assert!(outcome.code == Some(1) && outcome.stdout.is_empty(), "{outcome}");
    assert_eq!(desk.code(["decrypt", "--enable-local-keyservice=false", "e.yaml"]), Some(1));
    assert_eq!(desk.code(["decrypt", "--enable-local-keyservice", "e.yaml"]), Some(0));
}
