//! One file from one form to the other, compared with what it was.

use sealwax_format::document::{File, Node};
use sealwax_format::native::{self, Layout, Opener};
use sealwax_format::{Error, OsRandom};
use zeroize::Zeroizing;

use super::{Comments, Migrated, Target, Work};
use crate::error::CommandError;
use crate::files::{self, Input, Store};
use crate::job::WriteArgs;
use crate::manifest;
use crate::sops::{self, Held, Opened, Secrets, text_of};
use crate::survey::Found;
use crate::ui::{Note, count};

/// How SOPS marks a comment that it encrypted.
const COMMENT: &str = ",type:comment]";

/// What a file says, and what of it was encrypted.
struct Plain {
    text: Zeroizing<String>,
    held: Held,
}

impl Work<'_> {
    /// By the policy.
    pub(super) fn to_ours(
        &self,
        found: &Found,
        input: &Input,
        file: &File<'_>,
    ) -> Result<Option<Migrated>, CommandError> {
        let shown = input.shown.as_str();
        let in_file = |error: Error| CommandError::in_file(shown, &error);
        let Some(Plain { text: source, held }) = self.plain(input, file)? else { return Ok(None) };
        let source = files::parse(shown, &source, input.syntax())?;
        let text = if self.order.to == Target::EncryptedSecret && is_secret(&source) {
            manifest::convert(shown, source.source, None, None)?
        } else if self.order.to == Target::EncryptedSecret && !sealwax_format::sops::Layout::is_one(file) {
            return Ok(None);
        } else {
            Zeroizing::new(source.source.to_owned())
        };
        let plain = files::parse(shown, &text, input.syntax())?;
        let policy = self.policies.of(&found.path)?;
        let write = WriteArgs {
            accept_recipients: self.order.accept_recipients,
            preview: self.order.dry_run,
            ..WriteArgs::default()
        };
        let mut plans = Vec::new();
        for index in 0..plain.documents.len() {
            let layout = Layout::read(&plain, index).map_err(in_file)?;
            plans.push(write.plan(shown, Some(&found.path), policy.as_deref(), &layout)?);
        }
        let requests: Vec<_> = plans.iter().map(|plan| plan.as_ref().map(|plan| plan.request(None))).collect();
        let (sealed, reports) = native::encrypt(&plain, &requests, &mut OsRandom).map_err(in_file)?;
        let result = files::parse(shown, &sealed, input.syntax())?;
        refuse_exposed(shown, &held, &result, self.order.to)?;
        let keyring = crate::open::keyring(shown, Some(&found.path), &result, &self.policies, self.identities)?;
        let again = native::decrypt(&result, &mut Opener::new(&keyring)).map_err(in_file)?.text;
        compare(shown, &text, &again)?;
        let values = reports.iter().map(|report| report.sealed.len()).sum();
        let plan = plans.iter().flatten().next().map(crate::job::Plan::describe).unwrap_or_default();
        let notes = vec![Note::Done(format!("{shown}: {}, {plan}", count(values, "value")))];
        Ok(Some(Migrated { text: sealed, values, notes }))
    }

    /// By `.sops.yaml`.
    pub(super) fn to_sops(
        &self,
        found: &Found,
        input: &Input,
        file: &File<'_>,
    ) -> Result<Option<Migrated>, CommandError> {
        let shown = input.shown.as_str();
        let Some(Plain { text, held }) = self.plain(input, file)? else { return Ok(None) };
        let creation = self.configs.required(&found.path)?;
        if !self.order.dry_run {
            self.configs.agree(&creation, self.order.accept_recipients)?;
        }
        let plain = files::parse(shown, &text, input.syntax())?;
        let store = Store::of_text(Some(&found.path), plain.source);
        let (sealed, notes) = sops::encrypt(shown, (store, &plain), &creation, &self.keys, None)?;
        let result = files::parse(shown, &sealed, input.syntax())?;
        let opened = Opened::read(shown, (store, &result), &self.keys, true)?;
        opened.refuse_clear(&sealed, held.secrets.iter().map(|(document, path, _)| (*document, path)))?;
        // What is written for a value may differ, `'a'` and `a`; what it says may not.
        compare(shown, &values_of(&plain), &values_of(&opened.file()?))?;
        Ok(Some(Migrated { text: sealed, values: opened.values, notes }))
    }

    fn plain(&self, input: &Input, file: &File<'_>) -> Result<Option<Plain>, CommandError> {
        let shown = input.shown.as_str();
        let in_file = |error: Error| CommandError::in_file(shown, &error);
        if sealwax_format::sops::Layout::is_one(file) {
            let text = self.without_comments(input)?;
            let file = files::parse(shown, &text, input.syntax())?;
            let store = Store::of_text(input.path.as_deref(), file.source);
            let opened = Opened::read(shown, (store, &file), &self.keys, true)?;
            let text = Zeroizing::new(opened.text()?.to_owned());
            return Ok(Some(Plain { held: opened.held, text }));
        }
        let keyring = crate::open::keyring(shown, input.path.as_deref(), file, &self.policies, self.identities)?;
        let mut opener = Opener::new(&keyring);
        let mut held = Held::default();
        for index in 0..file.documents.len() {
            let layout = Layout::read(file, index).map_err(in_file)?;
            for opened in native::open_all(file, &layout, &mut opener).map_err(in_file)? {
                let Some(leaf) = layout.leaves.get(opened.leaf) else { continue };
                held.secrets.push((index, leaf.path.clone(), opened.plaintext.value));
            }
            for leaf in &layout.leaves {
                if let (None, Some(text)) = (layout.token(file, leaf).map_err(in_file)?, text_of(file.syntax, leaf)) {
                    held.clear.push((index, leaf.path.clone(), text));
                }
            }
        }
        if held.secrets.is_empty() {
            return Ok(None);
        }
        let text = native::decrypt(file, &mut opener).map_err(in_file)?.text;
        Ok(Some(Plain { text, held }))
    }

    /// The text of a file of SOPS, with its encrypted comments or without.
    fn without_comments(&self, input: &Input) -> Result<Zeroizing<String>, CommandError> {
        let text = input.text()?;
        let encrypted = text.matches(COMMENT).count();
        match self.order.comments {
            _ if encrypted == 0 => {}
            Some(Comments::Reveal) => {}
            None => {
                let message =
                    format!("{}: {encrypted} comments are encrypted, and would stand in the clear", input.shown);
                return Err(CommandError::refused(message)
                    .hint("Pass --comments reveal if nothing in them is secret, or --comments drop."));
            }
            Some(Comments::Drop) => {
                let kept: String = text.split_inclusive('\n').filter_map(without_comment).collect();
                return Ok(Zeroizing::new(kept));
            }
        }
        Ok(Zeroizing::new(text.to_owned()))
    }
}

/// A line without its encrypted comment; `None` if there was nothing else. Comments are not in the checksum.
fn without_comment(line: &str) -> Option<String> {
    let body = line.trim_end();
    let Some(start) = body.ends_with(COMMENT).then(|| body.rfind("ENC[AES256_GCM,")).flatten() else {
        return Some(line.to_owned());
    };
    let before = body[..start].trim_end_matches(['#', '-']).trim_end();
    let end = &line[body.len()..];
    (!before.is_empty()).then(|| format!("{before}{end}"))
}

fn is_secret(file: &File<'_>) -> bool {
    let kind = |root: &Node| root.get("kind").and_then(Node::string) == Some("Secret");
    file.documents.iter().any(|document| kind(&document.root))
}

/// Everything that was encrypted has to be so again.
fn refuse_exposed(shown: &str, held: &Held, result: &File<'_>, to: Target) -> Result<(), CommandError> {
    let secrets = Secrets::of([held]);
    for index in 0..result.documents.len() {
        let layout = Layout::read(result, index).map_err(|error| CommandError::in_file(shown, &error))?;
        for leaf in &layout.leaves {
            let Some(text) = text_of(result.syntax, leaf).filter(|text| !text.expose().is_empty()) else { continue };
            let token = layout.token(result, leaf).map_err(|error| CommandError::in_file(shown, &error))?;
            let same_place = to != Target::EncryptedSecret && secrets.stood_at(index, &leaf.path);
            if token.is_none() && (same_place || secrets.tells(index, &leaf.path, text.expose())) {
                let message = format!("{shown}: {}: was encrypted, and no pattern of the policy selects it", leaf.path);
                return Err(CommandError::usage(message).hint("Add it to encrypt in the rule of the policy."));
            }
        }
    }
    Ok(())
}

/// Every value of a file with its path, for a comparison.
fn values_of(file: &File<'_>) -> Zeroizing<String> {
    use sealwax_format::document::walk::leaves;
    let mut text = Zeroizing::new(String::new());
    for (index, document) in file.documents.iter().enumerate() {
        for leaf in leaves(document) {
            let value = leaf.scalar.map(|scalar| scalar.value.as_str()).unwrap_or_default();
            text.push_str(&format!("{index}{}\0{value}\0", leaf.path));
        }
    }
    text
}

fn compare(shown: &str, before: &str, after: &str) -> Result<(), CommandError> {
    if before == after {
        return Ok(());
    }
    Err(CommandError::refused(format!("{shown}: opened again, it does not say the same; it was left as it is"))
        .hint("This is a fault of sealwax: please report it, with the file's structure."))
}
