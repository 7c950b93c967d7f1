//! What to read, said on the command line: `[ITEM=]SOURCE:KEY[#PROPERTY]`.

use std::collections::BTreeMap;

use sealwax_crds::{DataEntry, DataFromEntry, ExternalSecretSpec, RemoteRef, SourceRef, StoreRef};
use serde_json::{Value, json};

use super::{Wish, Wishes};
use crate::error::CommandError;

/// One `--from`.
#[derive(Debug, PartialEq, Eq)]
struct From<'a> {
    /// The item that it becomes; without it, every field becomes one.
    item: Option<&'a str>,
    source: &'a str,
    key: &'a str,
    property: Option<&'a str>,
}

/// As if an `ExternalSecret` said the same.
pub(crate) fn of_command_line(
    from: &[String],
    namespace: Option<&str>,
    name: Option<&str>,
) -> Result<Wishes, CommandError> {
    let name = name.ok_or_else(|| CommandError::usage("--from needs --name, the name of the EncryptedSecret"))?;
    let (mut spec, mut wishes) = (ExternalSecretSpec::default(), Wishes::default());
    for text in from {
        let given = parse(text).ok_or_else(|| wrong(text))?;
        wishes.stores.insert(given.source, &provider(given.source).ok_or_else(|| wrong(text))?);
        let store_ref = Some(StoreRef { name: given.source.to_owned(), kind: None });
        let source_ref = Some(SourceRef { store_ref });
        let property = given.property.map(str::to_owned);
        let remote_ref = RemoteRef { key: given.key.to_owned(), property, ..RemoteRef::default() };
        if let Some(item) = given.item {
            if spec.data.iter().any(|entry| entry.secret_key == item) {
                return Err(CommandError::usage(format!("--from gives the item {item} twice")));
            }
            spec.data.push(DataEntry { secret_key: item.to_owned(), remote_ref, source_ref, optional: None });
        } else {
            let extract = Some(remote_ref);
            spec.data_from.push(DataFromEntry { extract, source_ref, ..DataFromEntry::default() });
        }
    }
    wishes.all.push(Wish {
        shown: "--from".to_owned(),
        is_manifest: false,
        namespace: namespace.map(str::to_owned),
        name: Some(name.to_owned()),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        spec,
    });
    Ok(wishes)
}

fn parse(text: &str) -> Option<From<'_>> {
    // Names in AWS may hold `=`, but no `:` comes before that of the source.
    let (item, rest) = match text.split_once('=') {
        Some((item, rest)) if !item.contains(':') => (Some(item), rest),
        _ => (None, text),
    };
    let (source, rest) = rest.split_once(':')?;
    let (key, property) = rest.split_once('#').map_or((rest, None), |(key, property)| (key, Some(property)));
    let complete = !key.is_empty() && item != Some("") && property != Some("");
    complete.then_some(From { item, source, key, property })
}

fn provider(source: &str) -> Option<Value> {
    Some(match source {
        "vault" => json!({"vault": {"version": "v2"}}),
        "vault-v1" => json!({"vault": {"version": "v1"}}),
        "aws-secret" => json!({"aws": {"service": "SecretsManager"}}),
        "aws-parameter" => json!({"aws": {"service": "ParameterStore"}}),
        _ => return None,
    })
}

fn wrong(text: &str) -> CommandError {
    CommandError::usage(format!("--from {text}: write [ITEM=]SOURCE:KEY[#PROPERTY]")).hint(
        "SOURCE is vault, vault-v1 (a KV engine of version 1), aws-secret or aws-parameter: --from vault:secret/prod/db",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        let from = |item, source, key, property| Some(From { item, source, key, property });
        assert_eq!(parse("vault:secret/prod/db"), from(None, "vault", "secret/prod/db", None));
        assert_eq!(parse("pw=vault:secret/db#a.b"), from(Some("pw"), "vault", "secret/db", Some("a.b")));
        let arn = "arn:aws:secretsmanager:eu-central-1:1:secret:a=b-x";
        assert_eq!(parse(&format!("aws-secret:{arn}")), from(None, "aws-secret", arn, None));
        assert_eq!(parse("a=aws-parameter:/p=q"), from(Some("a"), "aws-parameter", "/p=q", None));
        for wrong in ["", "vault", "vault:", "=vault:a/b", "vault:a/b#", "a=b"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
