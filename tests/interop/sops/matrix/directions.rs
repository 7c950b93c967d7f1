//! One cell: who writes, who edits, who reads, and what must be the same afterwards.

use super::documents::{Document, rule};
use super::keys::World;
use super::plan::{Cell, Direction, FileType};
use super::programs::Place;
use super::spans;

/// Values that take the target's place.
const SET: &str = "s3cr3t-by-set";
const EDITED: &str = "s3cr3t-by-edit";

/// Runs a cell to its end.
pub(crate) fn run(cell: Cell, world: &World) -> Result<(), String> {
    let document = Document::of(cell.file, cell.selecting);
    let place = Place { cli: world.place(cell.key), programs: &world.programs };
    let rules = format!("creation_rules:\n  - path_regex: file\n{}{}", world.rule(cell.key), rule(cell.selecting));
    place.cli.write(".sops.yaml", rules);
    place.cli.write(document.name, document.plain);
    match cell.direction {
        Direction::SopsWritesWeRead => {
            sops_writes(&place, &document)?;
            we_read(&place, &document, &as_sops_left_it(cell.file, document.plain))
        }
        Direction::WeWriteSopsReads => {
            we_write(&place, &document)?;
            sops_reads(&place, &document, document.plain)
        }
        Direction::SopsWritesWeEditSopsReads => {
            sops_writes(&place, &document)?;
            let edited = we_edit(&place, &document, cell.file)?;
            sops_reads(&place, &document, &edited)
        }
        Direction::WeWriteSopsEditsWeRead => {
            we_write(&place, &document)?;
            let edited = sops_edits(&place, &document)?;
            we_read(&place, &document, &as_sops_left_it(cell.file, &edited))
        }
    }
}

/// SOPS sets its section of an INI file off by a blank line, which is one of the file to us.
fn as_sops_left_it(file: FileType, plain: &[u8]) -> Vec<u8> {
    let more: &[u8] = if file == FileType::Ini { b"\n" } else { b"" };
    [plain, more].concat()
}

fn sops_writes(place: &Place<'_>, document: &Document) -> Result<(), String> {
    place.sops(&["encrypt", "--in-place", document.name])?;
    is_encrypted(place, document)
}

fn we_write(place: &Place<'_>, document: &Document) -> Result<(), String> {
    place.sealwax(&["encrypt", document.name], b"")?;
    is_encrypted(place, document)
}

/// What the selector selects is gone from the file, and nothing else is.
fn is_encrypted(place: &Place<'_>, document: &Document) -> Result<(), String> {
    let text = place.cli.read(document.name);
    if let Some(value) = document.encrypted.iter().find(|value| text.contains(**value)) {
        return Err(format!("{value} stands in the clear:\n{text}"));
    }
    match document.clear.iter().find(|value| !text.contains(**value)) {
        Some(value) => Err(format!("{value} is not in the clear:\n{text}")),
        None => Ok(()),
    }
}

fn sops_reads(place: &Place<'_>, document: &Document, expected: &[u8]) -> Result<(), String> {
    same("sops decrypt", &place.sops(&["decrypt", document.name])?, expected)
}

fn we_read(place: &Place<'_>, document: &Document, expected: &[u8]) -> Result<(), String> {
    same("sealwax decrypt", &place.sealwax(&["decrypt", document.name], b"")?, expected)
}

fn same(who: &str, found: &[u8], expected: &[u8]) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    let [found, expected] = [found, expected].map(String::from_utf8_lossy);
    Err(format!("{who} printed\n{found}\n--- instead of\n{expected}"))
}

/// Sets a value and edits it once more; each time nothing else changes.
fn we_edit(place: &Place<'_>, document: &Document, file: FileType) -> Result<Vec<u8>, String> {
    let name = document.target.map_or("data", super::documents::Leaf::name);
    let mut before = place.cli.read(document.name);
    if let Some(target) = document.target {
        place.sealwax(&["set", document.name, &target.for_us()], SET.as_bytes())?;
        let after = place.cli.read(document.name);
        spans::edited_only(file, name, &before, &after)?;
        we_read(place, document, &as_sops_left_it(file, &document.with(SET)))?;
        before = after;
    }
    let edited = document.with(EDITED);
    place.sealwax_edit(document.name, &as_sops_left_it(file, &edited))?;
    spans::edited_only(file, name, &before, &place.cli.read(document.name))?;
    Ok(edited)
}

fn sops_edits(place: &Place<'_>, document: &Document) -> Result<Vec<u8>, String> {
    let (value, edited) = (format!("\"{SET}\""), document.with(SET));
    match document.target {
        Some(target) => place.sops(&["set", document.name, &target.for_sops(), &value]).map(drop)?,
        None => place.sops_edit(document.name, &edited)?,
    }
    Ok(edited)
}
