//! What two people do to one file at the same time, and what is to come of it.

use super::clones::Clone;

/// Two branches that meet.
pub(super) struct Meeting {
    pub(super) name: &'static str,
    /// Whether the file is a JSON file; else a Secret.
    pub(super) json: bool,
    /// What happened before the branches parted.
    pub(super) before: fn(&Clone<'_>),
    pub(super) ours: fn(&Clone<'_>),
    pub(super) theirs: fn(&Clone<'_>),
    /// The paths that the driver leaves to a person, and no others. `""` stands for what is no value.
    pub(super) left: &'static [&'static str],
    /// Lines that the decrypted file has where nothing is left, and lines that it has not.
    pub(super) has: &'static [&'static str],
    pub(super) has_not: &'static [&'static str],
    /// Whether Git's own merge of texts must do without a conflict too.
    pub(super) as_text: bool,
}

const NOTHING: fn(&Clone<'_>) = |_| {};

const PLAIN: Meeting = Meeting {
    name: "",
    json: false,
    before: NOTHING,
    ours: NOTHING,
    theirs: NOTHING,
    left: &[],
    has: &[],
    has_not: &[],
    as_text: false,
};

pub(super) const MEETINGS: [Meeting; 16] = [
    Meeting {
        name: "neighbouring values",
        ours: |clone| clone.set("username", "s3cr3t-1"),
        theirs: |clone| clone.set("password", "s3cr3t-2"),
        has: &["  username: s3cr3t-1", "  password: s3cr3t-2   # keep"],
        as_text: true,
        ..PLAIN
    },
    Meeting {
        name: "the same value",
        ours: |clone| clone.set("password", "s3cr3t-1"),
        theirs: |clone| clone.set("password", "s3cr3t-2"),
        left: &["stringData.password"],
        ..PLAIN
    },
    Meeting {
        name: "keyless writers add values",
        ours: |clone| clone.set("first", "s3cr3t-1"),
        theirs: |clone| {
            clone.set("second", "s3cr3t-2");
            clone.set("third", "s3cr3t-3");
        },
        has: &["  first: s3cr3t-1", "  second: s3cr3t-2", "  third: s3cr3t-3"],
        ..PLAIN
    },
    Meeting {
        name: "both add the same value",
        ours: |clone| clone.set("first", "s3cr3t-1"),
        theirs: |clone| clone.set("first", "s3cr3t-2"),
        left: &["stringData.first"],
        ..PLAIN
    },
    Meeting {
        name: "a fold and an edit",
        before: |clone| clone.set("password", "s3cr3t-0"),
        ours: |clone| clone.as_alice(&["rekey", "--fold"], &[]),
        theirs: |clone| clone.set("password", "s3cr3t-2"),
        left: &["stringData.password"],
        ..PLAIN
    },
    Meeting {
        name: "a fold and new values",
        before: |clone| clone.set("password", "s3cr3t-0"),
        ours: |clone| clone.as_alice(&["rekey", "--fold"], &[]),
        theirs: |clone| clone.set("added", "s3cr3t-2"),
        has: &["  username: s3cr3t-user", "  password: s3cr3t-0   # keep", "  added: s3cr3t-2"],
        ..PLAIN
    },
    Meeting {
        name: "two folds",
        ours: |clone| clone.as_alice(&["rekey", "--fold"], &[]),
        theirs: |clone| clone.as_alice(&["rekey", "--fold"], &[]),
        left: &["stringData.username", "stringData.password", ""],
        ..PLAIN
    },
    Meeting {
        name: "someone leaves while a value is added that he can read",
        ours: |clone| clone.rekey_for(&["alice"]),
        theirs: |clone| clone.set("added", "s3cr3t-2"),
        left: &["stringData.added"],
        ..PLAIN
    },
    Meeting {
        name: "someone joins while a value changes",
        before: |clone| clone.set("username", "s3cr3t-0"),
        ours: |clone| clone.rekey_for(&["alice", "bob", "carol"]),
        theirs: |clone| clone.set("username", "s3cr3t-2"),
        has: &["  username: s3cr3t-2", "  password: \"s3cr3t-pass\"   # keep"],
        ..PLAIN
    },
    Meeting {
        name: "two people join",
        before: |clone| clone.set("username", "s3cr3t-0"),
        ours: |clone| clone.rekey_for(&["alice", "bob", "carol"]),
        theirs: |clone| clone.rekey_for(&["alice", "bob", "dave"]),
        has: &["  username: s3cr3t-0", "  password: \"s3cr3t-pass\"   # keep"],
        ..PLAIN
    },
    Meeting {
        name: "a value is removed while it changes",
        ours: |clone| clone.sealwax(&["unset"], &["username"], None),
        theirs: |clone| clone.set("username", "s3cr3t-2"),
        left: &["stringData.username"],
        ..PLAIN
    },
    Meeting {
        name: "a value is removed while its neighbour changes",
        ours: |clone| clone.sealwax(&["unset"], &["username"], None),
        theirs: |clone| clone.set("password", "s3cr3t-2"),
        has: &["  password: s3cr3t-2   # keep"],
        has_not: &["  username: s3cr3t-user"],
        ..PLAIN
    },
    Meeting {
        name: "a new place while a value is added for the old one",
        ours: |clone| {
            clone.replace("name: db\n", "name: database\n");
            clone.as_alice(&["rebind"], &[]);
        },
        theirs: |clone| clone.set("added", "s3cr3t-2"),
        left: &["stringData.added"],
        ..PLAIN
    },
    Meeting {
        name: "comments around values that change",
        ours: |clone| {
            clone.replace("  # who\n", "  # who it is\n  # and why\n");
            clone.replace("# keep", "# kept");
        },
        theirs: |clone| {
            clone.set("username", "s3cr3t-1");
            clone.set("password", "s3cr3t-2");
        },
        has: &["  # and why", "  username: s3cr3t-1", "  password: s3cr3t-2   # kept"],
        ..PLAIN
    },
    Meeting {
        name: "a mistake is committed and mended",
        ours: |clone| clone.set("username", "s3cr3t-1"),
        theirs: |clone| {
            clone.replace("sealwax:\n", "  added: s3cr3t-2\nsealwax:\n");
            clone.commit("in the clear");
            clone.gate_refuses("stringData.added");
            clone.sealwax(&["encrypt"], &[], None);
        },
        has: &["  username: s3cr3t-1", "  added: s3cr3t-2"],
        as_text: true,
        ..PLAIN
    },
    Meeting {
        name: "neighbouring values in JSON",
        json: true,
        ours: |clone| clone.set("b.password", "s3cr3t-1"),
        theirs: |clone| clone.set("b.token", "s3cr3t-2"),
        has: &[
            "    \"password\": \"s3cr3t-1\",",
            "    \"token\": \"s3cr3t-2\"",
            "  \"a\": {\"password\": \"s3cr3t-a\"},",
        ],
        ..PLAIN
    },
];
