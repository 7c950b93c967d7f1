//! Two clones of a bare remote, and a third where their work is joined.

use std::path::PathBuf;

use super::meetings::Meeting;
use super::ways::Joined;
use crate::common::{Outcome, Person, SECRET, Sandbox};

/// The file that everyone works on.
pub(super) const FILE: &str = "db.yaml";
/// Where branches are joined.
const HERE: &str = "joined";

/// A JSON file, in which neighbours have no line between them.
const JSON: &str = "{\n  \"a\": {\"password\": \"s3cr3t-a\"},\n  \"b\": {\n    \"password\": \"s3cr3t-b\",\n    \"token\": \"s3cr3t-t\"\n  }\n}\n";

/// The team and its clones.
pub(super) struct Clones {
    pub(super) sandbox: Sandbox,
    pub(super) alice: Person,
    people: Vec<Person>,
    pub(super) file: &'static str,
}

/// One person's clone, while he works.
pub(super) struct Clone<'c> {
    clones: &'c Clones,
    folder: &'static str,
}

impl Clones {
    /// Both sides of a meeting, worked out in two clones, pushed, and fetched.
    pub(super) fn of(meeting: &Meeting) -> Self {
        let sandbox = Sandbox::new();
        let people: Vec<_> = ["alice", "bob", "carol", "dave"].map(|name| sandbox.person(name)).into();
        let file = if meeting.json { "values.json" } else { FILE };
        let alice =
            Person { name: "alice".into(), file: people[0].file.clone(), recipient: people[0].recipient.clone() };
        let clones = Self { sandbox, alice, people, file };
        clones.root_git(&["init", "--quiet", "--bare", "--initial-branch", "main", "remote.git"]);
        let first = clones.clone_to("ours");
        first.policy(&["alice", "bob"]);
        first.write(".gitattributes", "*.yaml merge=sealwax\n*.json merge=sealwax\n");
        first.write(file, if meeting.json { JSON } else { SECRET });
        first.sealwax(&["encrypt"], &[], None);
        (meeting.before)(&first);
        first.push("base");
        let second = clones.clone_to("theirs");
        for (clone, work) in [(&first, meeting.ours), (&second, meeting.theirs)] {
            clone.git(&["checkout", "--quiet", "-B", clone.folder, "origin/base"]);
            work(clone);
            clone.push(clone.folder);
        }
        let here = clones.clone_to(HERE);
        for branch in ["base", "ours", "theirs"] {
            here.git(&["branch", "--quiet", branch, &format!("origin/{branch}")]);
        }
        clones
    }

    fn clone_to(&self, folder: &'static str) -> Clone<'_> {
        self.root_git(&["clone", "--quiet", "remote.git", folder]);
        Clone { clones: self, folder }
    }

    fn root_git(&self, arguments: &[&str]) {
        self.sandbox.git(arguments);
    }

    /// Git where branches are joined.
    pub(super) fn git(&self, arguments: &[&str]) -> String {
        let joined = self.try_git(arguments);
        assert!(joined.clean, "git {arguments:?}: {}", joined.told);
        joined.told
    }

    /// The same, where conflicts are expected.
    pub(super) fn try_git(&self, arguments: &[&str]) -> Joined {
        let output = self.sandbox.command("git").arg("-C").arg(HERE).args(arguments).output().unwrap();
        let told = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
        assert!(output.status.code().is_some_and(|code| code < 128), "git {arguments:?}: {}: {told}", output.status);
        Joined { clean: output.status.success(), told, tree: None }
    }

    /// Switches the driver on or off. It is named in `.gitattributes` either way, as in a clone without configuration.
    pub(super) fn use_driver(&self, on: bool) {
        let driver = format!("{} git merge %O %A %B --marker-size %L --path %P", env!("CARGO_BIN_EXE_sealwax"));
        if on {
            self.git(&["config", "merge.sealwax.driver", &driver]);
        } else {
            self.git(&["config", "--remove-section", "merge.sealwax"]);
        }
    }

    /// Ends whatever is under way.
    pub(super) fn back_to_the_start(&self) {
        for end in [["rebase", "--abort"], ["cherry-pick", "--quit"], ["revert", "--quit"], ["stash", "clear"]] {
            self.sandbox.command("git").arg("-C").arg(HERE).args(end).output().unwrap();
        }
        self.git(&["reset", "--quiet", "--hard"]);
        self.git(&["clean", "--quiet", "--force"]);
    }

    /// The file as it lies in the work tree after branches were joined.
    pub(super) fn path(&self) -> PathBuf {
        self.sandbox.path(HERE).join(self.file)
    }

    /// Decrypts a text, as alice.
    pub(super) fn decrypt(&self, text: &str) -> Outcome {
        let name = format!("{HERE}/looked-at-{}", self.file);
        let path = self.sandbox.write(&name, text);
        let outcome = self.sandbox.sealwax(["decrypt", &name]).by(&self.alice).run();
        std::fs::remove_file(path).unwrap();
        outcome
    }
}

impl Clone<'_> {
    /// Writes the policy for these readers.
    pub(super) fn policy(&self, names: &[&str]) {
        let people = &self.clones.people;
        let readers: Vec<_> = people.iter().filter(|person| names.contains(&person.name.as_str())).collect();
        self.clones.sandbox.policy(&readers);
        let policy = self.clones.sandbox.read(".sealwax.toml");
        std::fs::remove_file(self.clones.sandbox.path(".sealwax.toml")).unwrap();
        self.write(".sealwax.toml", &policy);
    }

    /// Makes the readers of the file these, and leaves the policy as it was: its own merge is not what is tried here.
    pub(super) fn rekey_for(&self, names: &[&str]) {
        let standing = self.clones.sandbox.read(&format!("{}/.sealwax.toml", self.folder));
        self.policy(names);
        self.as_alice(&["rekey"], &[]);
        self.write(".sealwax.toml", &standing);
    }

    pub(super) fn write(&self, name: &str, content: &str) {
        self.clones.sandbox.write(&format!("{}/{name}", self.folder), content);
    }

    /// Changes the file's text by hand.
    pub(super) fn replace(&self, from: &str, to: &str) {
        let text = self.clones.sandbox.read(&format!("{}/{}", self.folder, self.clones.file));
        assert!(text.contains(from), "{from} is not in the file");
        self.write(self.clones.file, &text.replacen(from, to, 1));
    }

    /// Sets a value; nobody's key is at hand.
    pub(super) fn set(&self, path: &str, value: &str) {
        self.sealwax(&["set"], &[path], Some(value));
    }

    /// Runs a command that reads values.
    pub(super) fn as_alice(&self, command: &[&str], after: &[&str]) {
        let file = format!("{}/{}", self.folder, self.clones.file);
        let arguments = [command, &[&file], after].concat();
        self.clones.sandbox.sealwax(arguments).by(&self.clones.alice).run().ok();
    }

    /// Runs a command on the file without any key.
    pub(super) fn sealwax(&self, command: &[&str], after: &[&str], input: Option<&str>) {
        let file = format!("{}/{}", self.folder, self.clones.file);
        let arguments = [command, &[&file], after].concat();
        self.clones.sandbox.sealwax(arguments).input(input.unwrap_or_default()).run().ok();
    }

    /// The gate finds a value in the clear in the last commit, and says at which path.
    pub(super) fn gate_refuses(&self, path: &str) {
        let mut gate = self.clones.sandbox.command(env!("CARGO_BIN_EXE_sealwax"));
        gate.args(["check", "--range", "HEAD~1..HEAD"]).current_dir(self.clones.sandbox.path(self.folder));
        let found = gate.output().unwrap();
        let told = String::from_utf8(found.stdout).unwrap();
        assert_eq!(found.status.code(), Some(1), "{told}");
        assert!(told.contains(path) && !told.contains("s3cr3t"), "{told}");
    }

    pub(super) fn git(&self, arguments: &[&str]) {
        let place = ["-C", self.folder];
        self.clones.root_git(&place.iter().chain(arguments).copied().collect::<Vec<_>>());
    }

    /// Commits everything.
    pub(super) fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", message]);
    }

    fn push(&self, branch: &str) {
        self.commit(branch);
        self.git(&["push", "--quiet", "origin", &format!("HEAD:{branch}")]);
        self.git(&["fetch", "--quiet"]);
    }
}
