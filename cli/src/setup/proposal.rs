//! What a policy could say for a repository as it is: its Secrets, and the rules of `.sops.yaml`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sealwax_format::document::File;

use crate::error::CommandError;
use crate::files::{self, syntax_of};
use crate::repo::Repository;
use crate::sops::config::{Config, CreationRule, Fields, NAME};
use crate::survey;
use crate::ui::count;

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    secrets: usize,
    sealed_secrets: usize,
    sops: Vec<CreationRule>,
}

/// Looks through the repository. What cannot be read proposes nothing.
pub(super) fn look(repository: &Repository) -> Result<Found, CommandError> {
    let mut found = Found::default();
    let paths: Vec<_> = repository.files()?.into_iter().filter(|path| survey::is_document(path)).collect();
    let kinds = files::each(&paths, |path| kinds(&repository.root().join(path)));
    for kind in kinds.into_iter().flatten() {
        match kind.as_str() {
            "Secret" | "EncryptedSecret" => found.secrets += 1,
            "SealedSecret" => found.sealed_secrets += 1,
            _ => {}
        }
    }
    if let Ok(text) = std::fs::read_to_string(repository.root().join(NAME)) {
        found.sops = serde_yaml::from_str::<Config>(&text).unwrap_or_default().creation_rules.unwrap_or_default();
    }
    Ok(found)
}

fn kinds(path: &std::path::Path) -> Vec<String> {
    let Ok(text) = std::fs::read_to_string(path) else { return Vec::new() };
    if !text.contains("Secret") {
        return Vec::new();
    }
    let Ok(file) = File::parse(&text, syntax_of(Some(path))) else { return Vec::new() };
    let kind = |document: &sealwax_format::document::Document| {
        document.root.get("kind").and_then(|node| node.text()).map(str::to_owned)
    };
    file.documents.iter().filter_map(kind).collect()
}

/// What the proposal rests on, for people.
pub(super) fn seen(found: &Found) -> String {
    let mut parts = vec![format!("{} Secrets", found.secrets)];
    if found.sealed_secrets > 0 {
        parts.push(format!("{} SealedSecrets", found.sealed_secrets));
    }
    if !found.sops.is_empty() {
        parts.push(format!("{} of .sops.yaml", count(found.sops.len(), "rule")));
    }
    parts.join(", ")
}

/// The policy file.
pub(super) fn text(found: &Found, name: &str, recipient: &str) -> String {
    let mut recipients = BTreeMap::from([(name.to_owned(), recipient.to_owned())]);
    let mut rules = String::new();
    for rule in &found.sops {
        sops_rule(rule, name, recipient, &mut recipients, &mut rules);
    }
    let mut text =
        "# What sealwax encrypts, and for whom. The first rule that matches a file decides.\nversion = 1\n\n\
                    [recipients]\n"
            .to_owned();
    for (name, recipient) in &recipients {
        let _ = writeln!(text, "{name} = {}", quoted(recipient));
    }
    text.push_str(&rules);
    let _ = write!(
        text,
        "\n# Kubernetes Secrets, wherever they are. EncryptedSecrets have their values encrypted in any case.\n[[rule]]\n\
         path = \"**\"\nkinds = [\"Secret\", \"EncryptedSecret\"]\nencrypt = [\"data.*\", \"stringData.*\"]\n\
         recipients = [\"{name}\"]\n"
    );
    if found.sealed_secrets > 0 {
        let count = found.sealed_secrets;
        let _ = write!(
            text,
            "\n# {count} SealedSecrets were found. They stay as they are: only their own controller opens them.\n"
        );
    }
    text
}

fn sops_rule(
    rule: &CreationRule,
    name: &str,
    own: &str,
    recipients: &mut BTreeMap<String, String>,
    rules: &mut String,
) {
    let mut readers = vec![name.to_owned()];
    let keys = rule.readers();
    let is_of_key = |c: char| c.is_ascii_alphanumeric() || c == '-';
    for key in keys.iter().filter(|key| key.starts_with("age1") && *key != own && key.chars().all(is_of_key)) {
        let known = recipients.iter().find(|(_, known)| *known == key).map(|(name, _)| name.clone());
        let reader = known.unwrap_or_else(|| format!("sops-{}", recipients.len()));
        recipients.insert(reader.clone(), key.clone());
        readers.push(reader);
    }
    // On a line of its own, whatever it holds.
    let shown = rule.path_regex.as_deref().unwrap_or("every file").replace(char::is_control, " ");
    let Some(path) = glob(rule.path_regex.as_deref().unwrap_or("")) else {
        let _ =
            write!(rules, "\n# .sops.yaml has a rule for {shown}, which is no simple path: write it here yourself.\n");
        return;
    };
    let encrypt = patterns(&rule.fields).iter().map(|pattern| quoted(pattern)).collect::<Vec<_>>().join(", ");
    let readers = readers.iter().map(|reader| format!("\"{reader}\"")).collect::<Vec<_>>().join(", ");
    let _ = write!(
        rules,
        "\n# As in .sops.yaml for {shown}\n[[rule]]\npath = \"{path}\"\nencrypt = [{encrypt}]\nrecipients = [{readers}]\n\
         context = \"{path}\"\n"
    );
}

/// A text as TOML writes it: the comment of an SSH key may hold quotes and backslashes.
fn quoted(text: &str) -> String {
    toml_edit::Value::from(text).to_string()
}

/// A path expression as a glob; `None` where it says more than a glob can.
fn glob(regex: &str) -> Option<String> {
    let anchored = regex.starts_with('^');
    let ended = regex.ends_with('$');
    let text = regex.trim_start_matches('^').trim_end_matches('$');
    let text = text.replace("\\.ya?ml", ".{yaml,yml}").replace(".*", "**").replace("[^/]*", "*").replace("\\.", ".");
    let text = text.replace("**.", "**/*.").replace("//", "/");
    let mut glob = text.trim_start_matches('/').to_owned();
    if !ended && !glob.ends_with("**") {
        glob.push_str(if glob.is_empty() || glob.ends_with('/') { "**" } else { "*" });
    }
    if !anchored && !glob.starts_with("**") {
        // It may begin in the middle of a name.
        glob.insert_str(0, "**/*");
    }
    let simple = |c: char| c.is_alphanumeric() || "-_./*{},".contains(c);
    (!regex.contains('{') && glob.chars().all(simple) && globset::Glob::new(&glob).is_ok()).then_some(glob)
}

/// Which values a rule of SOPS encrypts. Whatever is not understood encrypts everything: the safe side.
fn patterns(fields: &Fields) -> Vec<String> {
    if let Some(suffix) = &fields.encrypted_suffix {
        let simple = suffix.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
        return vec![if simple { format!("**.*{suffix}") } else { "**".to_owned() }];
    }
    let names = fields.encrypted_regex.as_deref().and_then(|regex| {
        let inner = regex.strip_prefix('^')?.strip_suffix('$')?;
        let inner = inner.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')).unwrap_or(inner);
        let names: Vec<_> = inner.split('|').map(str::to_owned).collect();
        let simple =
            |name: &String| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
        names.iter().all(simple).then_some(names)
    });
    names.map_or_else(|| vec!["**".to_owned()], |names| names.iter().map(|name| format!("**.{name}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simple_paths_become_globs_that_match_the_same_files() {
        let cases = [
            ("clusters/prod/.*\\.yaml$", "clusters/prod/a/b.yaml", "clusters/dev/b.yaml"),
            ("^secrets/.*", "secrets/deep/x.env", "other/secrets/x"),
            ("\\.enc\\.ya?ml$", "a/x.enc.yml", "a/x.yml"),
            ("", "anything/at.all", ""),
            ("apps/[^/]*/secret\\.yaml$", "apps/pay/secret.yaml", "apps/pay/deep/secret.yaml"),
        ];
        for (regex, matching, other) in cases {
            let glob = glob(regex).unwrap_or_else(|| panic!("{regex}"));
            let matcher = globset::GlobBuilder::new(&glob).literal_separator(true).build().unwrap().compile_matcher();
            assert!(matcher.is_match(matching), "{regex} became {glob}, which misses {matching}");
            assert!(other.is_empty() || !matcher.is_match(other), "{regex} became {glob}, which matches {other}");
        }
        for regex in ["(a|b)/x", "a{2}", "x+\\.yaml", "\\d+"] {
            assert_eq!(glob(regex), None, "{regex}");
        }
    }

    #[test]
    fn what_is_not_understood_encrypts_everything() {
        let rule = |regex: &str| Fields { encrypted_regex: Some(regex.to_owned()), ..Fields::default() };
        assert_eq!(patterns(&rule("^(data|stringData)$")), ["**.data", "**.stringData"]);
        assert_eq!(patterns(&rule("^password$")), ["**.password"]);
        assert_eq!(patterns(&rule("pass")), ["**"]);
        assert_eq!(patterns(&Fields::default()), ["**"]);
    }
}
