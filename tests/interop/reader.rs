//! The second implementation, written from docs/format.md alone, over the vectors.

use std::process::Command;

use xtask::tools;

use crate::common::{age, python, run};

#[test]
fn reads_every_vector() {
    let vectors = tools::workspace_root().join("tests/vectors");
    let files = std::fs::read_dir(vectors.join("native")).unwrap();
    let count = files.filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|e| e == "vector")).count();
    let mut command = Command::new(python());
    let output = run(command.arg(vectors.join("reader.py")).arg(vectors.join("native")).env("AGE", age()));
    assert_eq!(output.lines().last(), Some(format!("{count} passed, 0 failed").as_str()), "{output}");
    assert!(count > 40, "{count} vectors");
}
