//! The ways in which Git joins two branches. All of them merge the same three texts: what the branches started from, what
//! ours made of it, and what theirs did.

use super::clones::Clones;

/// A way to join theirs to ours.
pub(super) struct Way {
    pub(super) name: &'static str,
    pub(super) join: fn(&Clones) -> Joined,
}

/// What Git made of it.
pub(super) struct Joined {
    /// Whether Git says that nothing is left to do.
    pub(super) clean: bool,
    /// What it printed.
    pub(super) told: String,
    /// The tree that it wrote, where it does not touch the work tree.
    pub(super) tree: Option<String>,
}

pub(super) const WAYS: [Way; 6] = [
    Way { name: "merge", join: merge },
    Way { name: "rebase", join: rebase },
    Way { name: "cherry-pick", join: cherry_pick },
    Way { name: "revert", join: revert },
    Way { name: "stash", join: stash },
    Way { name: "merge-tree", join: merge_tree },
];

fn merge(clones: &Clones) -> Joined {
    clones.git(&["checkout", "--quiet", "--detach", "ours"]);
    clones.try_git(&["merge", "--no-edit", "theirs"])
}

fn rebase(clones: &Clones) -> Joined {
    clones.git(&["checkout", "--quiet", "--detach", "theirs"]);
    clones.try_git(&["rebase", "ours"])
}

fn cherry_pick(clones: &Clones) -> Joined {
    clones.git(&["checkout", "--quiet", "--detach", "ours"]);
    clones.try_git(&["cherry-pick", "base..theirs"])
}

/// A commit that took back what theirs had done, work of ours after it, and that commit taken back in turn.
fn revert(clones: &Clones) -> Joined {
    clones.git(&["checkout", "--quiet", "--detach", "theirs"]);
    for (state, message) in [("base", "taken back"), ("ours", "ours, later")] {
        clones.git(&["read-tree", "-u", "--reset", state]);
        clones.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
    }
    clones.try_git(&["revert", "--no-edit", "HEAD~1"])
}

fn stash(clones: &Clones) -> Joined {
    clones.git(&["checkout", "--quiet", "--detach", "base"]);
    clones.git(&["checkout", "--quiet", "theirs", "--", "."]);
    clones.git(&["reset", "--quiet"]);
    clones.git(&["stash", "push", "--quiet"]);
    clones.git(&["checkout", "--quiet", "--detach", "ours"]);
    clones.try_git(&["stash", "pop"])
}

fn merge_tree(clones: &Clones) -> Joined {
    clones.git(&["checkout", "--quiet", "--detach", "ours"]);
    let joined = clones.try_git(&["merge-tree", "--write-tree", "ours", "theirs"]);
    let tree = joined.told.lines().next().map(str::to_owned);
    Joined { tree, ..joined }
}
