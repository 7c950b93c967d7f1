//! `sops edit`.

use std::path::Path;
use std::process::{Command, ExitCode};

use sealwax_format::SecretBytes;
use sealwax_format::document::File;
use sealwax_format::sops::{BLOCK_KEY, Layout, Metadata};
use zeroize::Zeroizing;

use super::call::Call;
use super::encrypt::{self, Plaintext};
use super::failure::{Code, Failure};
use super::source::{OpenSource, Source, layout};
use super::{creation, examples};
use crate::editor::{Session, keep_beside};
use crate::files::{self, Input, Store};
use crate::ui;

pub(super) fn run(call: &Call<'_>) -> Result<ExitCode, Failure> {
    let path = call.required_file()?;
    edit(call, path)
}

/// Opens a file in the editor, or an example if there is none, and writes what became of it.
pub(super) fn edit(call: &Call<'_>, path: &Path) -> Result<ExitCode, Failure> {
    if path.exists() {
        return existing(call, path);
    }
    let store = call.input_store(path);
    let creation = creation::of(call, path, store)?;
    let keys = call.keys()?;
    let example = examples::of(store).as_bytes();
    let text = edited(path, example, |edited| {
        let source = source_of(path, store, edited);
        encrypt::sealed(source.shown(), &Plaintext::of(&source, store)?, &creation, &keys)
    })?;
    files::create(path, text.as_bytes(), false).map_err(|error| Failure::of(Code::CannotWrite, &error))?;
    Ok(ExitCode::SUCCESS)
}

fn existing(call: &Call<'_>, path: &Path) -> Result<ExitCode, Failure> {
    let source = Source::of_file(call, path)?;
    let keys = call.keys()?;
    let file = source.parse()?;
    let old = layout(&source, &file)?.metadata;
    let opened = OpenSource::of(call, &source, &file, &keys)?;
    let plain = opened.plain()?;
    let text = if call.is_on("show-master-keys") {
        let shown = with_keys(&source, &file, &plain)?;
        edited(path, &shown, |edited| {
            let (plain, metadata) = without_keys(&source, edited)?;
            if metadata.wraps().next().is_none() {
                return Err(Failure::new(
                    Code::Generic,
                    "No master keys were provided, so sops can't encrypt the file.",
                ));
            }
            // What the editor left in the entry of another key is for the key that was there.
            let groups = keys.rewrap(&old, &metadata.groups, metadata.threshold, opened.key())?;
            opened.sealed(plain.as_bytes(), &Metadata { groups, ..metadata })
        })?
    } else {
        edited(path, &plain, |edited| {
            if source.store != Store::Binary {
                // The same refusals as for a new file.
                Plaintext::of(&source_of(path, source.store, edited), source.store)?;
            }
            opened.sealed(edited.expose(), &old)
        })?
    };
    files::replace(path, &source.input.bytes, text.as_bytes())
        .map_err(|error| Failure::of(Code::CannotWrite, &keep_beside(path, &text, error)))?;
    Ok(ExitCode::SUCCESS)
}

/// An edited text as if it had been read from its file.
fn source_of(path: &Path, store: Store, edited: &SecretBytes) -> Source {
    let input = Input { shown: path.display().to_string(), path: None, bytes: edited.duplicate() };
    Source { input, store, name: path.to_owned() }
}

/// Runs the editor over a plain text until what comes out of it can be encrypted.
fn edited(
    path: &Path,
    plain: &[u8],
    seal: impl Fn(&SecretBytes) -> Result<Zeroizing<String>, Failure>,
) -> Result<Zeroizing<String>, Failure> {
    let session = Session::start(path.file_name().unwrap_or_default(), plain)?;
    loop {
        run_editor(&session)?;
        let edited = session.read()?;
        if edited.expose() == plain {
            return Err(Failure::new(Code::NotModified, "File has not changed, exiting."));
        }
        match seal(&edited) {
            Ok(text) => return Ok(text),
            Err(failure) if ui::is_interactive() => {
                for note in failure.lines() {
                    ui::message(&note);
                }
                if ui::line("Press enter to return to the editor, or Ctrl+C to exit.").is_none() {
                    return Err(failure);
                }
            }
            // Nobody would correct it.
            Err(failure) => return Err(failure.hint("The file was left as it was, and the changes were dropped.")),
        }
    }
}

fn run_editor(session: &Session) -> Result<(), Failure> {
    let failed = |why: String| {
        Failure::new(Code::NoEditor, format!("Could not run editor: {why}"))
            .hint("Set SOPS_EDITOR or EDITOR to an editor that waits until you close the file.")
    };
    let mut editor = editor().map_err(failed)?;
    match session.run(editor.arg(session.file())) {
        Ok(Some(status)) if status.success() => Ok(()),
        Ok(Some(status)) => Err(failed(status.to_string())),
        Ok(None) => Err(Failure::new(Code::Generic, "User canceled operation")),
        Err(error) => Err(failed(format!("{}: {error}", editor.get_program().display()))),
    }
}

/// The editor that SOPS would run, without a shell.
fn editor() -> Result<Command, String> {
    let named = ["SOPS_EDITOR", "EDITOR"].into_iter().find_map(|name| {
        let value = std::env::var(name).ok().filter(|value| !value.is_empty())?;
        Some((name, value))
    });
    let words = if let Some((name, value)) = named {
        shlex::split(&value).ok_or_else(|| format!("invalid ${name}"))?
    } else {
        let folders: Vec<_> = std::env::var_os("PATH").iter().flat_map(std::env::split_paths).collect();
        let installed = |name: &&str| folders.iter().any(|folder| folder.join(name).is_file());
        let found = ["vim", "nano", "vi"].into_iter().find(installed);
        vec![found.ok_or("no editor available: neither vim nor nano nor vi is installed")?.to_owned()]
    };
    let (program, arguments) = words.split_first().ok_or("the name of the editor is empty")?;
    let mut editor = Command::new(program);
    editor.args(arguments);
    Ok(editor)
}

/// The plain file with the block of the encrypted one at its end.
fn with_keys(source: &Source, file: &File<'_>, plain: &[u8]) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let entries = file.documents.last().map_or(&[][..], |document| document.root.entries());
    let block = entries.iter().find(|(key, _)| key.text() == Some(BLOCK_KEY));
    let block = block.and_then(|(key, value)| file.source.get(key.span.start..value.span.end));
    let Some(block) = block.filter(|_| source.store == Store::Yaml) else {
        return Err(Failure::new(
            Code::Generic,
            "--show-master-keys is for YAML files: sealwax shows the keys of no others",
        )
        .hint("Change keys with `sops updatekeys`, `sops groups` or `sops rotate --add-age … --rm-age …`."));
    };
    let line_break: &[u8] = if plain.ends_with(b"\n") { b"" } else { b"\n" };
    let plain = if plain.trim_ascii() == b"{}" { &[][..] } else { plain };
    Ok(Zeroizing::new([plain, line_break, block.as_bytes(), b"\n"].concat()))
}

/// The reverse: what is left of both.
fn without_keys(source: &Source, edited: &SecretBytes) -> Result<(Zeroizing<String>, Metadata), Failure> {
    let edited = source_of(&source.name, source.store, edited);
    let file = edited.parse()?;
    let layout = layout(&edited, &file)?;
    let plain = take_block(&layout, &file).map_err(|error| Failure::new(Code::Generic, error))?;
    Ok((plain, layout.metadata))
}

fn take_block(layout: &Layout<'_>, file: &File<'_>) -> Result<Zeroizing<String>, String> {
    let key = sealwax_format::sops::FileKey::from_bytes(&[0; 32]).ok_or("no key")?;
    // Nothing in it is encrypted: only the block goes.
    layout.decrypt(file, &key.cipher(), &[]).map_err(|at| at.error.to_string())
}
