//! One file: is it read at all, is it parsed, and which rules look at it.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use sealwax_format::document::{File, Syntax};

use super::allow::Allowed;
use super::catalog::Id;
use super::finding::Finding;
use super::rules::{self, change, leftovers, sops, sops_lines, template};
use super::sheet::Sheet;
use super::source::{Look, State};
use super::{Context, private_keys};
use crate::files::{self, Input, syntax_of};
use crate::repo::Answer;
use crate::survey;

/// Larger files are passed over, unless something claims them.
const MAX_UNCLAIMED: usize = 5 << 20;
/// Where Git looks for the zero byte that makes a file binary.
const SNIFFED: usize = 8000;
/// What Git LFS commits in the place of a file.
const POINTER: &str = "version https://git-lfs.github.com/spec/";

/// What came of looking at a file.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) findings: Vec<Finding>,
    /// The rules of the policy that select something in it.
    pub(super) selected: Vec<usize>,
    /// How many findings its comments allow.
    pub(super) allowed: usize,
    /// Why it was not looked into.
    pub(super) skipped: Option<Skipped>,
    /// Whether other readers are named than before.
    pub(super) readers_changed: bool,
}

/// Why a file was passed over.
pub(super) enum Skipped {
    Binary,
    Large(PathBuf),
}

/// Looks at a file of a state; `others` are what it held before it changed, and, for a state of the past, what it holds now.
pub(super) fn look(
    context: &Context<'_>,
    state: &State,
    file: &Look,
    bytes: Answer,
    others: [Option<Answer>; 2],
) -> Seen {
    let mut seen = Seen::default();
    let is_missing = |answer: &Answer| matches!(answer, Answer::Missing);
    if is_missing(&bytes) || others.iter().flatten().any(is_missing) {
        let message = "its contents, now or before, are not in this clone; fetch them: in CI, clone without a filter";
        seen.findings.push(Finding::new(Id::WAX904, &file.path, message));
        return seen;
    }
    let Some(bytes) = bytes.contents() else {
        pass_over(context, &file.path, Skipped::Large(file.path.clone()), &mut seen);
        return seen;
    };
    let mut allowed = Allowed::default();
    match decode(bytes.expose()) {
        None => undecoded(context, &file.path, bytes.expose(), &mut seen),
        Some(text)
            if text.len() > MAX_UNCLAIMED && !is_claimed(context, &file.path) && !states_secret(&file.path, &text) =>
        {
            private_keys::scan(&file.path, &text, &mut seen.findings);
            seen.skipped = Some(Skipped::Large(file.path.clone()));
        }
        Some(text) => {
            allowed = Allowed::read(&text);
            let others = others.map(|other| other.and_then(Answer::contents));
            let [before, later] = others.each_ref().map(|other| decode(other.as_ref()?.expose()));
            text_file(context, file, &text, [before.as_deref(), later.as_deref()], &mut seen);
        }
    }
    let found = seen.findings.len();
    seen.findings.retain(|finding| !allowed.allows(finding));
    seen.allowed = found - seen.findings.len();
    if survey::is_document(&file.path) {
        seen.findings.extend(allowed.findings(&file.path));
    }
    if let Some(commit) = &state.past {
        in_the_past(commit, &mut seen);
    }
    seen
}

/// What later commits took away matters only if it was readable.
fn in_the_past(commit: &str, seen: &mut Seen) {
    seen.findings.retain(|finding| finding.rule.plaintext);
    for finding in &mut seen.findings {
        finding.commit = Some(commit.to_owned());
        let short = commit.get(..10).unwrap_or(commit);
        finding.message += &format!("; commit {short} holds it, and a later one took it away: change it at its origin");
    }
}

/// A file that is not looked into: an error if something claims it.
fn pass_over(context: &Context<'_>, path: &Path, why: Skipped, seen: &mut Seen) {
    if is_claimed(context, path) {
        let reason = match why {
            Skipped::Binary => "the policy covers it, and it is not text",
            Skipped::Large(_) => "the policy covers it, and it is larger than 64 MiB",
        };
        seen.findings.push(Finding::new(Id::WAX904, path, reason));
    } else {
        seen.skipped = Some(why);
    }
}

/// A file that is no text that YAML may be. One in another encoding than UTF-8 is still searched, as far as its letters go.
fn undecoded(context: &Context<'_>, path: &Path, bytes: &[u8], seen: &mut Seen) {
    leftovers::by_name(path, bytes, &mut seen.findings);
    // By its name a text, so that a zero byte hides nothing.
    if is_binary(bytes) && !survey::is_document(path) {
        return pass_over(context, path, Skipped::Binary, seen);
    }
    let text = String::from_utf8_lossy(bytes);
    private_keys::scan(path, &text, &mut seen.findings);
    if is_claimed(context, path)
        || (survey::is_document(path) && (change::is_encrypted(&text) || template::states_secret(&text)))
    {
        let message = "it could hold secrets, and it is not UTF-8 text";
        seen.findings.push(Finding::new(Id::WAX904, path, message));
    }
}

/// Whether a file is a manifest, and, by its lines alone, states a Secret.
fn states_secret(path: &Path, text: &str) -> bool {
    survey::is_document(path) && template::states_secret(text)
}

/// As Git tells it.
fn is_binary(bytes: &[u8]) -> bool {
    bytes.iter().take(SNIFFED).any(|byte| *byte == 0)
}

/// The text of a file: UTF-8, or UTF-16 with a mark, as YAML may be; `None` for anything else.
fn decode(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let pair: fn([u8; 2]) -> u16 = match bytes {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ => {
            let text = std::str::from_utf8(bytes).ok().filter(|_| !is_binary(bytes))?;
            return Some(Cow::Borrowed(text));
        }
    };
    let units = bytes.chunks_exact(2).filter_map(|two| Some(pair(two.try_into().ok()?)));
    // A unit that is none must not hide the others.
    let letter = |unit: Result<char, _>| unit.unwrap_or(char::REPLACEMENT_CHARACTER);
    Some(Cow::Owned(char::decode_utf16(units.skip(1)).map(letter).collect()))
}

/// Whether a rule of the policy is for a file, so that it has to be readable. A rule for everything below a folder is for
/// the YAML and JSON there.
fn is_claimed(context: &Context<'_>, path: &Path) -> bool {
    let Some(policy) = &context.policy else { return false };
    let matching = policy.matching(path);
    let mut rules = matching.iter().filter_map(|position| context.rules.get(*position));
    rules.any(|rule| survey::is_document(path) || !rule.path.ends_with('*'))
}

/// A text: what every text is searched for, and, where that may matter, its documents.
fn text_file(context: &Context<'_>, file: &Look, text: &str, others: [Option<&str>; 2], seen: &mut Seen) {
    let [earlier, later] = others;
    let path = file.path.as_path();
    leftovers::by_name(path, text.as_bytes(), &mut seen.findings);
    private_keys::scan(path, text, &mut seen.findings);
    let was_encrypted = earlier.is_some_and(change::is_encrypted);
    let is_encrypted_elsewhere = was_encrypted || later.is_some_and(change::is_encrypted);
    seen.readers_changed = earlier.is_some_and(|earlier| change::labels(earlier) != change::labels(text));
    let claimed = is_claimed(context, path);
    if !claimed && !survey::is_document(path) {
        sops_lines::check(path, text, context.sops.rule(path), &mut seen.findings);
        return;
    }
    let conflict = files::conflict(text).filter(|_| change::is_encrypted(text));
    if let Some(line) = conflict {
        let message = "conflict markers stand in a file with encrypted values";
        seen.findings.push(Finding::new(Id::WAX505, path, message).line(line));
    }
    if claimed && text.starts_with(POINTER) {
        seen.findings.push(Finding::new(
            Id::WAX904,
            path,
            "the policy covers it, and Git LFS keeps its contents elsewhere",
        ));
    }
    if !claimed && !is_encrypted_elsewhere && context.sops.rule(path).is_none() && !may_matter(text) {
        return;
    }
    match parse(path, text) {
        Ok(parsed) => {
            let sops = sops::Metadata::read(&parsed);
            let sheet = Sheet { path, file: &parsed, context: Some(context), sops };
            rules::run(&sheet, &mut seen.selected, &mut seen.findings);
            private_keys::scan_escaped(&sheet, &mut seen.findings);
            if template::states_secret_to_others(text) {
                let message =
                    "it has line breaks that some programs take for text, and others find a Secret behind them";
                seen.findings.push(Finding::new(Id::WAX904, path, message));
            }
            for (version, text) in [(change::Version::Earlier, earlier), (change::Version::Later, later)] {
                if let Some(text) = text {
                    change::check(&sheet, version, text, &mut seen.findings);
                }
            }
        }
        // Told already; what is readable in it is told all the same.
        Err(_) if conflict.is_some() => template::check(path, text, &mut seen.findings),
        Err(error) => unparsed(context, path, text, was_encrypted, &error, &mut seen.findings),
    }
}

/// Whether a text has one of the words that any rule starts from, or an escape or a tag that could hide one.
fn may_matter(text: &str) -> bool {
    const WORDS: [&str; 14] = [
        "Secret",
        "secretGenerator",
        "ENC[",
        "sops",
        "sealwax",
        "\\x",
        "\\u",
        "\\U",
        "!!",
        "!<",
        "%TAG",
        "\\\n",
        "\\\r",
        "/stringData",
    ];
    WORDS.iter().any(|word| text.contains(word))
}

/// By the name first; what is called JSON and is none may still be YAML to those who read it.
fn parse<'t>(path: &Path, text: &'t str) -> Result<File<'t>, sealwax_format::document::ParseError> {
    let syntax = syntax_of(Some(path));
    File::parse(text, syntax).or_else(|error| match syntax {
        Syntax::Json => File::parse(text, Syntax::Yaml).map_err(|_| error),
        Syntax::Yaml | Syntax::Dotenv | Syntax::Ini => Err(error),
    })
}

/// A file that is neither YAML nor JSON: templates are searched by lines; whatever else should have been readable is an
/// error.
fn unparsed(
    context: &Context<'_>,
    path: &Path,
    text: &str,
    was_encrypted: bool,
    error: &sealwax_format::document::ParseError,
    findings: &mut Vec<Finding>,
) {
    template::check(path, text, findings);
    let rules = context.policy.as_ref().map(|policy| policy.matching(path)).unwrap_or_default();
    let mut rules = rules.iter().filter_map(|position| context.rules.get(*position));
    let by_policy = rules.any(|rule| rule.kinds.as_ref().is_none_or(|kinds| template::states_kind(text, kinds)));
    let states = template::states_secret(text) || template::states_secret_to_others(text);
    let by_looks = states && !template::is_template(text);
    let reason = if by_policy {
        "the policy covers it"
    } else if was_encrypted {
        "it held encrypted values before"
    } else if change::is_encrypted(text) {
        "it holds encrypted values"
    } else if by_looks {
        "it looks like a Secret"
    } else {
        return;
    };
    findings.push(Finding::new(Id::WAX904, path, format!("{reason}, and it is {error}")).line(error.line()));
}

/// Looks at a file of rendered manifests: at what is encrypted in it and whether it will open.
pub(super) fn rendered(input: &Input) -> Seen {
    let mut seen = Seen::default();
    let path = input.path.clone().unwrap_or_else(|| PathBuf::from("stdin"));
    let Some(text) = decode(input.bytes.expose()) else {
        seen.findings.push(Finding::new(Id::WAX904, &path, "it is not text"));
        return seen;
    };
    match parse(&path, &text) {
        Ok(parsed) => {
            let sheet = Sheet { path: &path, file: &parsed, context: None, sops: None };
            rules::run(&sheet, &mut seen.selected, &mut seen.findings);
        }
        Err(error) => {
            let message = format!("it is rendered, and {error}");
            seen.findings.push(Finding::new(Id::WAX904, &path, message).line(error.line()));
        }
    }
    seen
}
