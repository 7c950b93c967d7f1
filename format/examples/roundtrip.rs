//! Encrypts and decrypts every YAML and JSON file below the given folders and counts what came back unchanged.
//!
//! `cargo run --release -p sealwax-format --example roundtrip -- [--verbose] FOLDER…` exits with 1 if any file came back different.
#![expect(clippy::print_stdout, reason = "an example that reports to its user")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use sealwax_format::document::{File, Syntax};
use sealwax_format::keys::{Keyring, Recipient};
use sealwax_format::native::{self, Layout, Opener, Place, Request, Scope};
use sealwax_format::{Error, OsRandom, Pattern};

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let identity = age::x25519::Identity::generate();
    let readers = [Recipient::parse("test", &identity.to_public().to_string())?];
    let mut keyring = Keyring::default();
    keyring.add(readers[0].label().fingerprint().clone(), Box::new(identity));
    let everything = [Pattern::parse("**")?];

    let (verbose, folders): (Vec<_>, Vec<_>) = std::env::args().skip(1).partition(|arg| arg == "--verbose");
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut different = 0;
    for path in folders.iter().flat_map(|folder| files(Path::new(folder))) {
        let Ok(source) = fs::read_to_string(&path) else { continue };
        let syntax = if path.extension().is_some_and(|e| e == "json") { Syntax::Json } else { Syntax::Yaml };
        let outcome = match round_trip(&source, syntax, &everything, &readers, &keyring) {
            Ok(None) => "nothing to encrypt".to_owned(),
            Ok(Some(text)) if text == source => "unchanged".to_owned(),
            Ok(Some(_)) => {
                different += 1;
                println!("DIFFERENT {}", path.display());
                "DIFFERENT".to_owned()
            }
            Err(error) => {
                if !verbose.is_empty() {
                    println!("refused {}:{}: {}", path.display(), error.line.unwrap_or(0), chain(&error));
                }
                format!("refused: {}", chain(&error))
            }
        };
        *counts.entry(outcome).or_default() += 1;
    }
    for (outcome, count) in &counts {
        println!("{count:6} {outcome}");
    }
    println!("{:6} files", counts.values().sum::<usize>());
    Ok(if different == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn round_trip(
    source: &str,
    syntax: Syntax,
    select: &[Pattern],
    readers: &[Recipient],
    keyring: &Keyring,
) -> Result<Option<String>, Error> {
    let file = File::parse(source, syntax)?;
    let mut requests = Vec::new();
    for index in 0..file.documents.len() {
        let layout = Layout::read(&file, index)?;
        let place = match &layout.object {
            Some(object) => object.place(Scope::Strict, Some("namespace"), Some("name")).map_err(Error::of_file)?,
            None => Place::Context("round trip".to_owned()),
        };
        // The names in the manifest must fit the place, so it is the cluster-wide one here.
        let place = match (&layout.object, place) {
            (Some(object), _) => object.place(Scope::Cluster, None, None).map_err(Error::of_file)?,
            (None, place) => place,
        };
        requests.push(Some(Request { select, place, readers, previous: None }));
    }
    let (sealed, reports) = native::encrypt(&file, &requests, &mut OsRandom)?;
    if reports.iter().all(|report| report.sealed.is_empty()) {
        return Ok(None);
    }
    let file = File::parse(&sealed, syntax)?;
    native::decrypt(&file, &mut Opener::new(keyring)).map(|opened| Some(opened.text.to_string()))
}

fn chain(error: &Error) -> String {
    let mut text = error.problem.to_string();
    let mut source = std::error::Error::source(&error.problem);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json") {
            found.push(path);
        }
    }
    found.sort();
    found
}
