//! `sealwax exec`, and `--mask` for logs.

use insta::assert_snapshot;

use crate::common::{SECRET, Sandbox};

const VALUES: &str = "db:\n  password: s3cr3t-pass\n  port: 31337\n";

#[test]
fn values_as_variables() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("db.yaml", SECRET);
    let shell =
        ["exec", "db.yaml", "--prefix", "DB_", "--", "sh", "-c", "echo $DB_username $DB_password $1", "sh", "{}"];
    assert_eq!(sandbox.sealwax(shell).by(&alice).run().ok(), "s3cr3t-user s3cr3t-pass {}\n");
    sandbox.encrypted("values.yaml", VALUES);
    let shell = ["exec", "values.yaml", "--", "sh", "-c", "echo $db_password $db_port"];
    assert_eq!(sandbox.sealwax(shell).by(&alice).run().ok(), "s3cr3t-pass 31337\n");
    let pristine = ["exec", "db.yaml", "--pristine", "--", "/usr/bin/env"];
    let names: Vec<_> = sandbox
        .sealwax(pristine)
        .by(&alice)
        .run()
        .ok()
        .lines()
        .map(|line| line.split('=').next().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["password", "username"]);
}

#[test]
fn data_of_a_secret_is_decoded() {
    let (sandbox, alice) = Sandbox::with_policy();
    let secret =
        "apiVersion: v1\nkind: Secret\nmetadata: {namespace: prod, name: db}\ndata:\n  password: czNjcjN0LXBhc3M=\n";
    sandbox.encrypted("db.yaml", secret);
    let shell = ["exec", "db.yaml", "--", "sh", "-c", "printf %s \"$password\""];
    assert_eq!(sandbox.sealwax(shell).by(&alice).run().ok(), "s3cr3t-pass");
}

#[test]
fn values_as_private_files_that_go() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("tls.yaml", &SECRET.replace("password:", "tls.key:"));
    let shell = [
        "exec",
        "tls.yaml",
        "--as",
        "files",
        "--allow-disk",
        "--",
        "sh",
        "-c",
        "cat {}/tls.key; stat -c ' %a' {}/tls.key {}; echo {}",
    ];
    let shown = sandbox.sealwax(shell).by(&alice).run().ok();
    let mut lines = shown.lines();
    assert_eq!(lines.next(), Some("s3cr3t-pass 600"));
    assert_eq!(lines.next(), Some(" 700"));
    assert!(!std::path::Path::new(lines.next().unwrap()).exists());
    sandbox.encrypted("values.yaml", VALUES);
    let whole = ["exec", "values.yaml", "--as", "file", "--allow-disk", "--", "cat", "{}"];
    assert_eq!(sandbox.sealwax(whole).by(&alice).run().ok(), VALUES);
    sandbox.assert_clean();
}

#[test]
fn the_exit_code_is_the_commands() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("db.yaml", SECRET);
    for form in ["env", "files"] {
        let run = |command: &str| {
            sandbox
                .sealwax(["exec", "db.yaml", "--as", form, "--allow-disk", "--", "sh", "-c", command])
                .by(&alice)
                .run()
                .code
        };
        assert_eq!(run("exit 42"), Some(42), "{form}");
    }
    let killed = ["exec", "db.yaml", "--as", "files", "--allow-disk", "--", "sh", "-c", "kill -TERM $$"];
    assert_eq!(sandbox.sealwax(killed).by(&alice).run().code, Some(143));
    sandbox.assert_clean();
    assert_snapshot!(sandbox.sealwax(["exec", "db.yaml", "--", "no-such-program"]).by(&alice).run(), @"
    exit 1
    err: error: no-such-program: cannot be run: No such file or directory (os error 2)
    ");
    assert_snapshot!(sandbox.sealwax(["exec", "db.yaml", "--", "true"]).run(), @"
    exit 1
    err: error: db.yaml:8: stringData.username: none of your identities is a reader; named readers: alice@FINGERPRINT
    err: hint: pass --identity FILE, or set SEALWAX_IDENTITY to the file that holds your key
    ");
}

#[test]
fn an_order_to_end_reaches_the_command_and_leaves_no_files() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("db.yaml", SECRET);
    let script = "trap 'echo ended; exit 7' TERM; echo ready > started; while :; do sleep 0.05; done";
    let mut run =
        sandbox.sealwax(["exec", "db.yaml", "--as", "files", "--allow-disk", "--", "sh", "-c", script]).by(&alice);
    let child = run.start();
    while !sandbox.path("started").exists() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    sandbox.command("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    let outcome = run.finish(child);
    assert_eq!((outcome.code, outcome.stdout.as_slice()), (Some(7), b"ended\n".as_slice()));
    sandbox.assert_clean();
}

#[test]
fn names_that_cannot_be_used_are_refused() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("tls.yaml", &SECRET.replace("password:", "tls.key:"));
    assert_snapshot!(sandbox.sealwax(["exec", "tls.yaml", "--", "true"]).by(&alice).run(), @"
    exit 1
    err: error: tls.yaml: tls.key cannot be the name of a variable
    err: hint: Take the values as files instead: --as files.
    ");
    sandbox.encrypted("slash.yaml", &SECRET.replace("password:", "../../escape:"));
    let files = ["exec", "slash.yaml", "--as", "files", "--allow-disk", "--", "true"];
    assert_snapshot!(sandbox.sealwax(files).by(&alice).run(), @r#"
    exit 1
    err: error: "../../escape" cannot be the name of a file
    "#);
    sandbox.assert_clean();
}

#[test]
fn masks_for_a_job_s_log_and_nowhere_else() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("db.yaml", SECRET);
    assert_snapshot!(sandbox.sealwax(["decrypt", "--mask", "db.yaml"]).by(&alice).run(), @"
    exit 2
    err: error: --mask works in GitHub Actions only; elsewhere it would print the values
    err: hint: Leave --mask out, or set it only where GITHUB_ACTIONS is true.
    ");
    // `Run` refuses messages that hold values, and these must: so without it.
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_sealwax"));
    command.args(["exec", "--mask", "db.yaml", "--", "true"]);
    command.env("SEALWAX_IDENTITY", &alice.file).env("GITHUB_ACTIONS", "true");
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text, "::add-mask::s3cr3t-user\n::add-mask::s3cr3t-pass\n");
}

#[test]
fn the_key_to_all_values_stays_here() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("db.yaml", SECRET);
    let key = std::fs::read_to_string(&alice.file).unwrap();
    for form in ["env", "files"] {
        let call = ["exec", "db.yaml", "--as", form, "--allow-disk", "--", "env"];
        let shown = sandbox.sealwax(call).env("SEALWAX_IDENTITY_KEY", &key).run().ok();
        assert!(!shown.contains("AGE-SECRET-KEY") && shown.contains("HOME="), "{form}");
    }
}

#[test]
fn a_value_runs_no_program() {
    let (sandbox, alice) = Sandbox::with_policy();
    for name in ["LD_PRELOAD", "BASH_ENV", "PATH"] {
        sandbox.encrypted("db.yaml", &SECRET.replace("username:", &format!("{name}:")));
        let outcome = sandbox.sealwax(["exec", "db.yaml", "--", "true"]).by(&alice).run();
        assert!(outcome.code == Some(1) && outcome.stderr.contains("decides what programs run"), "{outcome}");
        let named = ["exec", "db.yaml", "--prefix", "DB_", "--", "true"];
        sandbox.sealwax(named).by(&alice).run().ok();
    }
}

#[test]
fn the_name_of_a_file_runs_no_program() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("$(touch owned).yaml", VALUES);
    let call = ["exec", "$(touch owned).yaml", "--as", "file", "--allow-disk", "--", "sh", "-c", "cat {}"];
    assert_eq!(sandbox.sealwax(call).by(&alice).run().ok(), VALUES);
    assert!(!sandbox.path("owned").exists());
}

#[test]
fn a_file_without_values_is_no_environment() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.write("map.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: b}\n");
    assert_snapshot!(sandbox.sealwax(["exec", "map.yaml", "--", "true"]).by(&alice).run(), @"
    exit 1
    err: error: map.yaml: holds no values for a command
    err: hint: Items of Secrets and EncryptedSecrets, or all values of a file that is no Kubernetes object.
    ");
}

#[test]
fn no_signal_of_the_terminal_leaves_files() {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.encrypted("db.yaml", SECRET);
    for signal in ["INT", "QUIT", "HUP"] {
        let script = "trap 'exit 7' HUP; echo > started; while [ ! -e done ]; do sleep 0.05; done";
        let call = ["exec", "db.yaml", "--as", "files", "--allow-disk", "--", "sh", "-c", script];
        let mut run = sandbox.sealwax(call).by(&alice);
        let child = run.start();
        while !sandbox.path("started").exists() {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        sandbox.command("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap();
        sandbox.write("done", "");
        assert!(matches!(run.finish(child).code, Some(0 | 7)), "{signal}");
        sandbox.assert_clean();
        for name in ["started", "done"] {
            std::fs::remove_file(sandbox.path(name)).unwrap();
        }
    }
}
