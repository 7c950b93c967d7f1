//! `sealwax check`.

use std::path::PathBuf;

use crate::check::report::{Format, explain, github, text};
use crate::check::{self, Baseline, Outcome, Scope, Severity};
use crate::error::{Code, CommandError};
use crate::ui::{Note, Ui};

/// The gate: is everything that must be encrypted encrypted, completely, to the right readers, for the right place?
///
/// Needs no key, network or cluster, and prints no value. Looks at its own files, at those of SOPS and Sealed
/// Secrets and at plain manifests alike; without a flag or a path, at all files of the work tree. The rules and what to do about each are in
/// docs/check.md.
///
/// Exit codes: 0 nothing found, 1 something found, 2 wrong usage or policy, 3 a file that could hold secrets cannot be
/// read.
///
/// Examples:
///   sealwax check                                   the work tree
///   sealwax check --staged                          a pre-commit hook
///   sealwax check --range origin/main..HEAD --format github
///   kustomize build . | sealwax check --rendered -
///   sealwax check --explain WAX101
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
#[command(group = clap::ArgGroup::new("what"))]
pub(crate) struct Args {
    /// Files and folders on the disk
    #[arg(value_name = "PATH", group = "what")]
    paths: Vec<PathBuf>,
    /// Look at what is staged for the next commit
    #[arg(long, group = "what")]
    staged: bool,
    /// Look at the files of the work tree (the default)
    #[arg(long, group = "what")]
    worktree: bool,
    /// Look at everything in a commit
    #[arg(long, value_name = "REV", group = "what")]
    rev: Option<String>,
    /// Look at what the commits of a range brought, also where a later one took it away
    #[arg(long, value_name = "A..B", group = "what")]
    range: Option<String>,
    /// Look at rendered manifests: whether what is encrypted in them will open; - for standard input
    #[arg(long, value_name = "DIR", group = "what")]
    rendered: Option<PathBuf>,
    /// How to write what is found
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    format: Format,
    /// What makes the check fail
    #[arg(long, value_enum, default_value_t = FailOn::Error, value_name = "SEVERITY")]
    fail_on: FailOn,
    /// A file with findings that are let through
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write what is found now into the baseline
    #[arg(long, requires = "baseline")]
    update_baseline: bool,
    /// Explain a rule, or list them all, and do nothing else
    #[arg(long, value_name = "RULE", num_args = 0..=1, default_missing_value = "")]
    explain: Option<String>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum FailOn {
    Error,
    Warning,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    if let Some(id) = &args.explain {
        ui.data(explained(id)?.as_bytes())?;
        return Ok(Code::Done);
    }
    let mut outcome = match &args.rendered {
        Some(from) => check::run_rendered(from)?,
        None => check::run(&scope(args), ui)?,
    };
    if let Some(path) = &args.baseline {
        if args.update_baseline {
            let baseline = Baseline::of(&outcome.findings);
            baseline.write(path)?;
            ui.notes(&[Note::Done(format!("{}: {} findings written", path.display(), outcome.findings.len()))]);
            return Ok(Code::Done);
        }
        outcome.excused = Baseline::read(path)?.apply(&mut outcome.findings, outcome.whole, path);
    }
    report(args.format, &outcome, ui)?;
    Ok(outcome.code(match args.fail_on {
        FailOn::Error => Severity::Error,
        FailOn::Warning => Severity::Warning,
    }))
}

fn scope(args: &Args) -> Scope {
    if args.staged {
        Scope::Staged
    } else if let Some(revision) = &args.rev {
        Scope::Revision(revision.clone())
    } else if let Some(range) = &args.range {
        Scope::Range(range.clone())
    } else if args.paths.is_empty() {
        Scope::Worktree
    } else {
        Scope::Paths(args.paths.clone())
    }
}

fn report(format: Format, outcome: &Outcome, ui: &Ui) -> Result<(), CommandError> {
    ui.data(format.write(outcome).as_bytes())?;
    if format == Format::Github {
        github::append_summary(outcome)?;
    }
    ui.notes(&[Note::Done(text::summary(outcome))]);
    Ok(())
}

fn explained(id: &str) -> Result<String, CommandError> {
    if id.is_empty() {
        return Ok(explain::list());
    }
    let rule = check::find_rule(id).ok_or_else(|| {
        CommandError::usage(format!("{}: no rule has this id", id.escape_debug()))
            .hint("`sealwax check --explain` lists the rules.")
    })?;
    Ok(explain::rule(rule))
}
