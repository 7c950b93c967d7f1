//! `exec-env` and `exec-file`.

use insta::assert_snapshot;

use super::Desk;

fn desk() -> Desk {
    let desk = Desk::new();
    desk.encrypted("e.env", "A=s3cr3t-a\nB=two words\n");
    desk.encrypted("flat.yaml", "a: s3cr3t\nn: 5\nf: 2.0\nb: true\nz: null\n");
    desk
}

#[test]
fn exec_env_gives_the_values_as_variables() {
    let desk = desk();
    let run = |words: &[&str]| desk.sops(["exec-env"]).args(words).env("KEPT", "yes").run();
    assert_eq!(run(&["e.env", "printf '%s|%s|%s' \"$A\" \"$B\" \"$KEPT\""]).ok(), "s3cr3t-a|two words|yes");
    assert_eq!(run(&["flat.yaml", "echo $a $n $f $b $z"]).ok(), "s3cr3t 5 2.0 true <nil>\n");
    assert_eq!(run(&["--pristine", "e.env", "echo $KEPT $A"]).ok(), "s3cr3t-a\n");
    assert_eq!(run(&["--same-process", "e.env", "echo $A; exit 4"]).code, Some(4));
    assert_eq!(run(&["e.env", "exit 7"]).code, Some(7));
    assert_eq!(run(&["e.env", "kill -9 $$"]).code, Some(255));
    assert_eq!(desk.sops(["exec-env", "e.env", "cat"]).input("typed").run().ok(), "typed");
    assert_eq!(run(&["e.env"]).code, Some(1));
    assert_eq!(run(&["--user", "no-such-user", "e.env", "true"]).code, Some(1));
    assert_eq!(run(&["--background", "--same-process", "e.env", "true"]).code, Some(8));
    desk.encrypted("deep.yaml", "a: {b: s3cr3t}\n");
    assert_snapshot!(run(&["deep.yaml", "true"]), @"
    exit 1
    err: cannot use complex value in environment; offending key a
    ");
    assert_eq!(desk.stranger(["exec-env", "e.env", "true"]).run().code, Some(128));
}

#[test]
fn exec_file_gives_the_file_once_or_as_often_as_it_is_read() {
    let desk = desk();
    let run = |words: &[&str]| desk.sops(["exec-file"]).args(words).run();
    let plain = "A=s3cr3t-a\nB=two words\n";
    assert_eq!(run(&["e.env", "cat {}"]).ok(), plain);
    assert_eq!(run(&["--no-fifo", "e.env", "cat {} {}"]).ok(), [plain, plain].concat());
    assert_eq!(run(&["--no-fifo", "e.env", "stat -c %a {}"]).ok(), "600\n");
    assert_eq!(run(&["--no-fifo", "--filename", "x.env", "e.env", "basename {}"]).ok(), "x.env\n");
    assert_eq!(run(&["e.env", "test -p {} && head -c 3 {}"]).ok(), "A=s");
    assert_eq!(run(&["e.env", "exit 7"]).code, Some(7), "nobody read it");
    let json = run(&["--output-type", "json", "e.env", "cat {}"]).ok();
    assert!(json.starts_with("{\n\t\"A\": \"s3cr3t-a\""), "{json}");
    for name in ["../x", "/x", "a/b", ".."] {
        assert_eq!(run(&["--filename", name, "e.env", "true"]).code, Some(1), "{name}");
    }
    assert_eq!(run(&["--background", "e.env", "true"]).code, Some(1));
    desk.sandbox.assert_clean();
}

#[test]
fn exec_file_ends_with_the_command_whoever_holds_the_pipe_open() {
    let desk = desk();
    desk.sandbox.write("large.bin", vec![b'x'; 1 << 20]);
    desk.sops(["encrypt", "-i", "large.bin"]).run().ok();
    let held = "sleep 600 < {} > /dev/null 2>&1 & printf %s $!";
    let pid = desk.sops(["exec-file", "large.bin", held]).run().ok();
    let stopped = desk.sandbox.command("kill").args(["-KILL", &pid]).status().unwrap();
    assert!(stopped.success(), "nothing held it open any more: {pid}");
    desk.sandbox.assert_clean();
}
