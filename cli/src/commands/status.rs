//! `sealwax status`.

use std::fmt::Write as _;
use std::path::PathBuf;

use sealwax_format::document::File;
use sealwax_format::document::resolve::resolve;
use sealwax_format::native::{self, Layout, Object};
use sealwax_format::{Error, ValueType, sops};
use serde::Serialize;

use crate::error::{Code, CommandError};
use crate::files::{self, Input};
use crate::job::{Policies, WriteArgs};
use crate::readers::{Change, Named};
use crate::sops::config::Configs;
use crate::sops::keys;
use crate::survey::{self, Found};
use crate::ui::{Format, Note, Ui, count};

/// Show what is encrypted, by which rule, for whom, and what today's policy would change
///
/// Documents that no rule covers and that hold nothing encrypted are left out.
///
/// Examples:
///   sealwax status
///   sealwax status --format json clusters/prod
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Files and folders
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,
    /// How to show it
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    format: Format,
}

/// One document.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    file: String,
    document: String,
    /// The policy's rule; `null` if none covers it.
    rule: Option<String>,
    sealed_for: Option<String>,
    /// Encrypted values.
    encrypted: usize,
    readers: Vec<String>,
    /// Paths that the rule selects and that stand in the clear.
    clear: Vec<String>,
    /// What `sealwax rekey` would change of the readers.
    add: Vec<String>,
    remove: Vec<String>,
    supersede: Vec<String>,
    /// Why the policy cannot be applied.
    problem: Option<String>,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let found = survey::files(&args.paths)?;
    let (policies, configs) = (Policies::default(), Configs::default());
    let results = files::each_shown(ui, "reading", &found, |file| one(&policies, &configs, file));
    let (mut all, mut code) = (Vec::new(), Code::Done);
    for result in results {
        match result {
            Ok(documents) => all.extend(documents),
            Err(error) => code = code.max(ui.failed(&error)),
        }
    }
    match args.format {
        Format::Json => {
            let json = serde_json::to_string_pretty(&all).unwrap_or_default() + "\n";
            ui.data(json.as_bytes())?;
        }
        Format::Text => {
            ui.data(all.iter().map(text).collect::<String>().as_bytes())?;
            ui.notes(&[Note::Done(total(&all))]);
        }
    }
    Ok(code)
}

fn one(policies: &Policies, configs: &Configs, found: &Found) -> Result<Vec<Status>, CommandError> {
    let input = Input::read(&found.path)?;
    let in_file = |error: Error| CommandError::in_file(&input.shown, &error);
    let policy = policies.of(&found.path)?;
    let file = match input.parse() {
        Ok(file) => file,
        // Templates and other files that only look like YAML.
        Err(_) if !found.named && !survey::claims_values(input.bytes.expose()) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    if sops::Layout::is_one(&file) {
        return of_sops(configs, found, &input.shown, &file).map(|status| vec![status]);
    }
    let mut documents = Vec::new();
    for index in 0..file.documents.len() {
        let layout = Layout::read(&file, index).map_err(in_file)?;
        let kind = layout.object.as_ref().map(|object| object.kind.as_str());
        let rule = policy.as_deref().map(|policy| policy.govern(&found.path, kind)).transpose()?.flatten();
        if rule.is_none() && layout.block.is_none() {
            continue;
        }
        let named = Named::of(&file, &layout).map_err(in_file)?;
        let preview = WriteArgs { preview: true, ..WriteArgs::default() };
        let plan = match &rule {
            Some(_) => preview.plan(&input.shown, Some(&found.path), policy.as_deref(), &layout),
            None => Ok(None),
        };
        let mut status = Status {
            file: input.shown.clone(),
            document: layout.object.as_ref().map_or_else(|| format!("document {}", index + 1), Object::shown),
            rule: rule.as_ref().map(|rule| rule.rule.clone()),
            sealed_for: layout
                .stated_place()
                .map_or_else(|problem| Some(problem.to_string()), |p| p.map(|p| p.to_string())),
            encrypted: 0,
            readers: named.anywhere.iter().map(ToString::to_string).collect(),
            clear: Vec::new(),
            add: Vec::new(),
            remove: Vec::new(),
            supersede: Vec::new(),
            problem: None,
        };
        let select = rule.as_ref().map(|rule| rule.select.as_slice()).unwrap_or_default();
        for leaf in &layout.leaves {
            if layout.token(&file, leaf).map_err(in_file)?.is_some() {
                status.encrypted += 1;
            } else if native::is_selected(&layout, select, &leaf.path) && !is_null(leaf) {
                status.clear.push(leaf.path.to_string());
            }
        }
        match plan {
            Ok(Some(plan)) if status.encrypted > 0 => {
                let change = Change::between(&named, &plan.readers);
                status.add = change.added.iter().map(ToString::to_string).collect();
                status.remove = change.removed.iter().map(ToString::to_string).collect();
                status.supersede = change.superseded.iter().map(ToString::to_string).collect();
            }
            Ok(_) => {}
            Err(error) => status.problem = Some(error.message().to_owned()),
        }
        // A rule that covers whole folders covers many files without a secret.
        if status.encrypted > 0 || !status.clear.is_empty() || layout.block.is_some() {
            documents.push(status);
        }
    }
    Ok(documents)
}

fn of_sops(configs: &Configs, found: &Found, shown: &str, file: &File<'_>) -> Result<Status, CommandError> {
    let layout = sops::Layout::read(file).map_err(|at| crate::sops::in_file(shown, &at))?;
    let paths = |wanted: &dyn Fn(&sops::Value<'_>) -> bool| -> Vec<_> {
        let values = layout.values.iter().filter(|value| wanted(value));
        values.map(|value| value.leaf.path.to_string()).collect()
    };
    let (creation, problem) = match configs.of(&found.path) {
        Ok(creation) => (creation, None),
        Err(error) => (None, Some(error.message().to_owned())),
    };
    let change = creation.as_ref().map(|creation| crate::sops::Change::between(&layout.metadata, creation));
    let names = |pick: fn(&crate::sops::Change) -> &Vec<sops::Wrap>| -> Vec<_> {
        change.iter().flat_map(|change| pick(change).iter().map(keys::shown)).collect()
    };
    let other_selector = change.as_ref().is_some_and(|change| change.reselected);
    Ok(Status {
        file: shown.to_owned(),
        document: "file of SOPS".to_owned(),
        rule: creation.as_ref().map(|creation| creation.rule.clone()),
        sealed_for: None,
        encrypted: paths(&|value| value.token.is_some()).len(),
        readers: layout.metadata.wraps().map(keys::shown).collect(),
        clear: paths(&|value| crate::sops::is_clear(file, value)),
        add: names(|change| &change.added),
        remove: names(|change| &change.removed),
        supersede: Vec::new(),
        problem: problem.or_else(|| {
            other_selector.then(|| "its selector is not that of the rule; `sealwax rekey` applies it".to_owned())
        }),
    })
}

fn is_null(leaf: &sealwax_format::document::walk::Leaf<'_>) -> bool {
    let resolved = leaf.scalar.and_then(|scalar| resolve(leaf.node, scalar).ok());
    resolved.is_some_and(|resolved| resolved.value_type == ValueType::Null)
}

fn text(status: &Status) -> String {
    let mut text = String::new();
    let rule = status.rule.as_deref().unwrap_or("none");
    let _ = writeln!(text, "{}: {}", status.file, status.document);
    let _ = writeln!(text, "  {} encrypted, rule: {rule}", count(status.encrypted, "value"));
    let lines = [
        ("sealed for", status.sealed_for.iter().cloned().collect()),
        ("readers", status.readers.clone()),
        ("in the clear, to be encrypted", status.clear.clone()),
        ("rekey would add", status.add.clone()),
        ("rekey would remove", status.remove.clone()),
        ("rekey would replace", status.supersede.clone()),
        ("problem", status.problem.iter().cloned().collect::<Vec<_>>()),
    ];
    for (title, what) in lines.iter().filter(|(_, what)| !what.is_empty()) {
        let _ = writeln!(text, "  {title}: {}", what.join(", "));
    }
    text
}

fn total(all: &[Status]) -> String {
    let values: usize = all.iter().map(|status| status.encrypted).sum();
    let clear: usize = all.iter().map(|status| status.clear.len()).sum();
    let stale = all.iter().filter(|s| !(s.add.is_empty() && s.remove.is_empty() && s.supersede.is_empty())).count();
    format!(
        "{} encrypted in {}; {clear} in the clear that should be; {} with other readers than the policy's",
        count(values, "value"),
        count(all.len(), "document"),
        count(stale, "document")
    )
}
