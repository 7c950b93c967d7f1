//! Files of SOPS through the commands that write: by `.sops.yaml`, with the layout kept and nothing left in the clear.

mod exposed;
mod rules;
mod values;

use crate::common::{Outcome, Person, Sandbox};

const VALUES: &str = "\
# head
db:
  user: app     # who
  password: \"s3cr3t-pass\"   # why

  port: 5432
list:
  - password: 's3cr3t-one'
  - password: |
      s3cr3t-two
      lines
";

/// A `.sops.yaml` that encrypts passwords for these people.
fn rules(sandbox: &Sandbox, people: &[&Person], more: &str) {
    let age: Vec<_> = people.iter().map(|person| person.recipient.as_str()).collect();
    let rule = format!("  - path_regex: \\.yaml$\n    encrypted_regex: ^password\n    age: {}\n", age.join(","));
    sandbox.write(".sops.yaml", format!("creation_rules:\n{rule}{more}"));
}

fn encrypted() -> (Sandbox, Person) {
    let sandbox = Sandbox::new();
    let alice = sandbox.person("alice");
    rules(&sandbox, &[&alice], "");
    sandbox.write("values.yaml", VALUES);
    sandbox.sealwax(["encrypt", "values.yaml"]).run().ok();
    (sandbox, alice)
}

/// The lines in which two texts differ, of those outside the metadata.
fn changed<'t>(before: &'t str, after: &'t str) -> Vec<(&'t str, &'t str)> {
    let body = |text: &'t str| text.split("\nsops:\n").next().unwrap_or_default();
    let (before, after) = (body(before), body(after));
    assert_eq!(before.lines().count(), after.lines().count());
    before.lines().zip(after.lines()).filter(|(one, other)| one != other).collect()
}

fn decrypt(sandbox: &Sandbox, person: &Person) -> Outcome {
    sandbox.sealwax(["decrypt", "values.yaml"]).by(person).run()
}
