//! `sops updatekeys`.

use std::path::Path;
use std::process::ExitCode;

use sealwax_format::sops::{Group, Metadata, Wrap};

use super::call::Call;
use super::failure::{Code, Failure};
use super::source::{OpenSource, Source, layout};
use super::target;
use crate::sops::config::{Configs, Creation, Ruling};
use crate::sops::keys::{self, Keys};
use crate::ui::{self, Note};

pub(super) fn run(call: &Call<'_>) -> Result<ExitCode, Failure> {
    let files: Vec<&Path> = call.given.words.iter().map(Path::new).collect();
    let configs = call.configs()?;
    let keys = call.keys()?;
    if files.is_empty() {
        return Err(Failure::new(Code::NoFile, "Error: no file specified"));
    }
    if let [file] = files.as_slice() {
        return update(call, &configs, &keys, file);
    }
    let mut failed = 0;
    for file in files {
        if let Err(failure) = update(call, &configs, &keys, file) {
            call.ui.notes(&failure.notes());
            failed += 1;
        }
    }
    if failed > 0 {
        return Err(Failure::new(Code::Generic, format!("failed updating {failed} key(s)")));
    }
    Ok(ExitCode::SUCCESS)
}

/// Wraps the data key of a file for those whom its rule names. The values stay as they are.
fn update(call: &Call<'_>, configs: &Configs, keys: &Keys<'_>, path: &Path) -> Result<ExitCode, Failure> {
    let shown = path.display();
    if path.is_dir() {
        return Err(Failure::new(Code::Generic, format!("can't operate on a directory: {shown}")));
    }
    if configs.path(path)?.is_none() {
        return Err(Failure::new(Code::Generic, "config file not found").hint(
            "A .sops.yaml is looked for above the file and above the working directory; or name it with --config.",
        ));
    }
    let tell = |text: String| call.ui.notes(&[Note::Done(text)]);
    tell(format!("Syncing keys for file {shown}"));
    let source = Source::of_file(call, path).map_err(|failure| failure.hint("The other files are worked on."))?;
    let creation = rule(configs, path)?;
    let file = source.parse()?;
    let old = layout(&source, &file)?.metadata;
    let threshold = threshold(&creation, &old);
    if keys::are_same(&old.groups, &creation.groups) && threshold == old.threshold {
        tell(format!("File {shown} already up to date"));
        return Ok(ExitCode::SUCCESS);
    }
    call.ui.data(changes(&old, &creation, threshold).as_bytes())?;
    if !call.is_on("yes") && !agreed()? {
        tell(format!("File {shown} left unchanged"));
        return Ok(ExitCode::SUCCESS);
    }
    let opened = OpenSource::of(call, &source, &file, keys)?;
    let groups = keys.rewrap(&old, &creation.groups, threshold, opened.key())?;
    let text = opened.sealed(&opened.plain()?, &Metadata { groups, threshold, ..old })?;
    let done = target::over(&source, text.as_bytes())?;
    tell(format!("File {shown} synced with new keys"));
    Ok(done)
}

fn rule(configs: &Configs, path: &Path) -> Result<Creation, Failure> {
    match configs.ruling(path, None)? {
        Ruling::Rule(creation) => Ok(*creation),
        Ruling::NoMatch => Err(Failure::new(Code::Generic, "error loading config: no matching creation rules found")),
        Ruling::Silent => Err(Failure::new(Code::Generic, "The config file does not contain any creation rule")),
    }
}

/// How many groups are needed: what the rule says, or else the file, as far as there are so many.
fn threshold(creation: &Creation, old: &Metadata) -> Option<usize> {
    let groups = creation.groups.len();
    (groups > 1).then(|| creation.threshold.or(old.threshold).unwrap_or(groups).min(groups))
}

/// Whether somebody agrees: a person, or a script that writes the answer to standard input.
fn agreed() -> Result<bool, Failure> {
    loop {
        match ui::line("Is this okay? (y/n):").as_deref() {
            Some("y") => return Ok(true),
            Some("n") => return Ok(false),
            Some(_) => {}
            None => {
                return Err(Failure::new(Code::Generic, "EOF").hint("Nobody answered. --yes goes on without asking."));
            }
        }
    }
}

/// What will change, as SOPS shows it.
fn changes(old: &Metadata, creation: &Creation, threshold: Option<usize>) -> String {
    let mut text = "The following changes will be made to the file's groups:\n".to_owned();
    match (old.threshold, threshold) {
        (Some(old), Some(new)) if old == new => text.push_str(&format!("shamir_threshold: {new}\n")),
        (old, new) => {
            text.extend(new.map(|new| format!("+++ shamir_threshold: {new}\n")));
            text.extend(old.map(|old| format!("--- shamir_threshold: {old}\n")));
        }
    }
    let none = Group::default();
    for index in 0..old.groups.len().max(creation.groups.len()) {
        let (ours, theirs) = (old.groups.get(index).unwrap_or(&none), creation.groups.get(index).unwrap_or(&none));
        let has = |group: &Group, wrap: &Wrap| group.wraps.iter().any(|known| keys::is_same(known, wrap));
        text.push_str(&format!("Group {}\n", index + 1));
        for wrap in theirs.wraps.iter().filter(|wrap| has(ours, wrap)) {
            text.push_str(&format!("    {}\n", name(wrap)));
        }
        for wrap in theirs.wraps.iter().filter(|wrap| !has(ours, wrap)) {
            text.push_str(&format!("+++ {}\n", name(wrap)));
        }
        for wrap in ours.wraps.iter().filter(|wrap| !has(theirs, wrap)) {
            text.push_str(&format!("--- {}\n", name(wrap)));
        }
    }
    text
}

/// The key without the kind of key that it is.
fn name(wrap: &Wrap) -> String {
    let shown = keys::shown(wrap);
    shown.strip_prefix(wrap.service.shown()).map_or(shown.clone(), |name| name.trim_start().to_owned())
}
