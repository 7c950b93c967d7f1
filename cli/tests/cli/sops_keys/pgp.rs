//! PGP keys, through the `gpg` of this machine; and groups of keys.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use insta::assert_snapshot;
use sealwax_format::OsRandom;
use sealwax_format::sops::{Group, Service, Wrap, shamir};

use super::{PLAIN, age_wrap, decrypt, group, key, wrap, write};
use crate::common::Sandbox;

/// A home of `gpg` with one key, whose agent ends with it.
struct Gpg<'s> {
    sandbox: &'s Sandbox,
    home: PathBuf,
    fingerprint: String,
}

impl<'s> Gpg<'s> {
    fn new(sandbox: &'s Sandbox, name: &str) -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let home = sandbox.root().join(name);
        std::fs::create_dir(&home).unwrap();
        std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o700)).unwrap();
        let mut gpg = Self { sandbox, home, fingerprint: String::new() };
        let make = ["--batch", "--passphrase", "", "--quick-generate-key", name, "future-default", "default", "never"];
        gpg.run(&make, b"");
        let listed = String::from_utf8(gpg.run(&["--list-keys", "--with-colons"], b"")).unwrap();
        let line = listed.lines().find(|line| line.starts_with("fpr:")).unwrap();
        line.split(':').nth(9).unwrap().clone_into(&mut gpg.fingerprint);
        gpg
    }

    fn run(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        use std::io::Write as _;
        let mut command = self.sandbox.command("gpg");
        command.args(arguments).env("GNUPGHOME", &self.home);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A test without gpg fails here.
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "gpg {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    fn wrap(&self, share: &[u8]) -> Wrap {
        let enc = self.run(&["--encrypt", "-a", "--trust-model", "always", "-r", &self.fingerprint], share);
        wrap(Service::Pgp, &self.fingerprint, String::from_utf8(enc).unwrap())
    }
}

impl Drop for Gpg<'_> {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf").args(["--kill", "all"]).env("GNUPGHOME", &self.home).status();
    }
}

#[test]
fn a_pgp_key_opens_through_gpg() {
    let sandbox = Sandbox::new();
    let (gpg, key) = (Gpg::new(&sandbox, "gnupg"), key());
    write(&sandbox, &key, group(vec![gpg.wrap(key.expose())]), None);
    assert_eq!(decrypt(&sandbox).env("GNUPGHOME", &gpg.home).run().ok(), PLAIN);
    // What runs instead sees neither arguments nor files with the key.
    let seen = sandbox.root().join("seen");
    let script = format!("echo \"$@\" > {}\nexec gpg \"$@\"", seen.display());
    let other = sandbox.script("other-gpg", &script);
    assert_eq!(decrypt(&sandbox).env("GNUPGHOME", &gpg.home).env("SOPS_GPG_EXEC", other).run().ok(), PLAIN);
    assert_eq!(std::fs::read_to_string(seen).unwrap(), "-d\n");
}

#[test]
fn says_why_pgp_does_not_open() {
    let sandbox = Sandbox::new();
    let (gpg, others, key) = (Gpg::new(&sandbox, "gnupg"), Gpg::new(&sandbox, "others"), key());
    write(&sandbox, &key, group(vec![gpg.wrap(key.expose())]), None);
    assert_snapshot!(decrypt(&sandbox).env("GNUPGHOME", &others.home).run(), @"
    exit 1
    err: error: file.yaml: none of its keys opens it
    err:   PGP BASE64: gpg: decryption failed: No secret key
    err: hint: gpg --list-secret-keys shows the PGP keys that you have; GNUPGHOME says where gpg keeps them.
    ");
    assert_snapshot!(decrypt(&sandbox).env("SOPS_GPG_EXEC", "/nowhere/gpg").run(), @"
    exit 1
    err: error: file.yaml: none of its keys opens it
    err:   PGP BASE64: /nowhere/gpg cannot be run: No such file or directory (os error 2)
    err: hint: Install GnuPG, or set SOPS_GPG_EXEC to where it is.
    ");
    let silent = sandbox.script("silent", "cat > /dev/null");
    assert_snapshot!(decrypt(&sandbox).env("SOPS_GPG_EXEC", silent).run(), @"
    exit 1
    err: error: file.yaml: none of its keys opens it
    err:   PGP BASE64: gpg printed nothing: is it too old for how this was encrypted?
    ");
}

#[test]
fn age_comes_before_pgp_unless_told_otherwise() {
    let sandbox = Sandbox::new();
    let (alice, key) = (sandbox.person("alice"), key());
    let pgp = wrap(Service::Pgp, "0123456789ABCDEF0123456789ABCDEF01234567", "PGP".to_owned());
    write(&sandbox, &key, group(vec![pgp, age_wrap(&alice.recipient, key.expose())]), None);
    let asked = sandbox.root().join("asked");
    let gpg = sandbox.script("gpg-asked", &format!("touch {}; exit 1", asked.display()));
    let run = || decrypt(&sandbox).by(&alice).env("SOPS_GPG_EXEC", &gpg);
    assert_eq!(run().run().ok(), PLAIN);
    assert!(!asked.exists());
    assert_eq!(run().env("SOPS_DECRYPTION_ORDER", "pgp,age").run().ok(), PLAIN);
    assert!(asked.exists());
    assert_snapshot!(run().env("SOPS_DECRYPTION_ORDER", "gpg").run(), @"
    exit 2
    err: error: SOPS_DECRYPTION_ORDER: gpg is no kind of key; there are kms, gcp_kms, hckms, azure_kv, hc_vault, pgp, age
    ");
}

#[test]
fn groups_of_different_services() {
    let sandbox = Sandbox::new();
    let (gpg, alice, key) = (Gpg::new(&sandbox, "gnupg"), sandbox.person("alice"), key());
    let shares = shamir::split(&mut OsRandom, key.expose(), 3, 2).unwrap().unwrap();
    let [first, second, third] = shares.as_slice() else { panic!("three shares") };
    let unknown = sandbox.person("unknown");
    let groups = |wraps: [Wrap; 3]| wraps.map(|wrap| Group { wraps: vec![wrap] }).into();
    let all = [gpg.wrap(first), age_wrap(&alice.recipient, second), age_wrap(&unknown.recipient, third)];
    write(&sandbox, &key, groups(all.clone()), Some(2));
    assert_eq!(decrypt(&sandbox).by(&alice).env("GNUPGHOME", &gpg.home).run().ok(), PLAIN);
    let run = decrypt(&sandbox).by(&alice).env("SOPS_GPG_EXEC", "/nowhere/gpg").run();
    assert_snapshot!(run, @"
    exit 1
    err: error: file.yaml: of the 2 key groups that are needed, 1 opened
    err:   group 1: PGP BASE64: /nowhere/gpg cannot be run: No such file or directory (os error 2)
    err:   group 3: age RECIPIENT: none of your identities is for it
    err: hint: Install GnuPG, or set SOPS_GPG_EXEC to where it is.
    err: hint: Pass --identity FILE, or set SEALWAX_IDENTITY, SOPS_AGE_KEY_FILE or SOPS_AGE_KEY to what holds your age key.
    ");
    // Those that are enough come first: nobody else is asked.
    let [pgp, own, other] = all;
    write(&sandbox, &key, groups([own, other, pgp]), Some(2));
    let asked = sandbox.root().join("asked");
    let program = sandbox.script("asked-gpg", &format!("touch {}; exit 1", asked.display()));
    let both = ["-i", alice.file.to_str().unwrap(), "-i", unknown.file.to_str().unwrap()];
    assert_eq!(decrypt(&sandbox).args(&both).env("SOPS_GPG_EXEC", program).run().ok(), PLAIN);
    assert!(!asked.exists());
}
