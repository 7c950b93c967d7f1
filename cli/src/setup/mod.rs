//! What a clone and its machine need, piece by piece: made by `init`, looked at by `doctor`.

mod attributes;
mod drivers;
mod hook;
mod identity;
mod policy;
mod proposal;

use crate::error::CommandError;
use crate::repo::Repository;

/// How a piece stands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It is there.
    Good(String),
    /// It is not, and `init` makes it.
    Missing(String),
    /// It is not, and somebody has to decide: what is wrong, and what to do.
    Yours(String, String),
}

/// How hooks come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum HookKind {
    /// Git's own hooks, in this clone
    Plain,
    /// An entry in .pre-commit-config.yaml, for the pre-commit framework
    Framework,
    /// None: the gate runs in CI alone
    None,
}

/// What the pieces need to know.
pub(crate) struct Setup {
    pub(crate) repository: Repository,
    pub(crate) hook: HookKind,
    pub(crate) post_quantum: bool,
}

/// One piece.
pub(crate) struct Piece {
    pub(crate) name: &'static str,
    look: fn(&Setup) -> Result<State, CommandError>,
    make: fn(&Setup) -> Result<String, CommandError>,
}

/// All of them, in the order in which they are made: the policy names the identity's recipient.
pub(crate) const PIECES: [Piece; 5] = [
    Piece { name: "identity", look: identity::look, make: identity::make },
    Piece { name: "policy", look: policy::look, make: policy::make },
    Piece { name: "attributes", look: attributes::look, make: attributes::make },
    Piece { name: "drivers", look: drivers::look, make: drivers::make },
    Piece { name: "hook", look: hook::look, make: hook::make },
];

impl Piece {
    /// How it stands.
    pub(crate) fn look(&self, setup: &Setup) -> Result<State, CommandError> {
        (self.look)(setup)
    }

    /// Makes it, and says what was made.
    pub(crate) fn make(&self, setup: &Setup) -> Result<String, CommandError> {
        (self.make)(setup)
    }
}

/// Writes a policy that says what the repository's `.sops.yaml` says, and Secrets.
pub(crate) fn propose_policy(repository: Repository) -> Result<String, CommandError> {
    policy::make(&Setup { repository, hook: HookKind::None, post_quantum: false })
}
