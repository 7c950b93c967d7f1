//! Finds secrets by name and tags: walks the tree below a path.

use futures::StreamExt as _;
use futures::stream::{self, FuturesUnordered};
use rustify::Endpoint;
use serde::Deserialize;
use vaultrs::api::{kv1, kv2};

use super::kv::{Enclosed, build, parse};
use super::paths::Place;
use super::{PROVIDER, Vault, Version};
use crate::names::{name_pattern, within_bounds};
use crate::{Query, SourceError};

/// Calls of one find that are under way at the same time.
const AT_ONCE: usize = 8;

#[derive(Deserialize)]
struct Names {
    keys: Vec<String>,
}

/// Something below the path of the query.
struct Found {
    /// From the query's path on.
    below: String,
    place: Place,
}

impl Vault {
    pub(super) async fn search(&self, query: &Query) -> Result<Vec<String>, SourceError> {
        if !query.tags.is_empty() && self.paths.version == Version::V1 {
            return Err(SourceError::invalid(PROVIDER, "find", "a KV store of version 1 keeps no tags"));
        }
        let name = name_pattern(PROVIDER, query)?;
        let folder = query.path.as_deref().unwrap_or_default();
        let named = self.walk(self.paths.folder(folder)?).await?.into_iter().filter_map(|found| {
            let key = self.paths.key(folder, &found.place, &found.below);
            name.as_ref().is_none_or(|name| name.is_match(&key)).then_some((key, found.place))
        });
        let mut keys: Vec<String> = if query.tags.is_empty() {
            named.map(|(key, _)| key).collect()
        } else {
            self.tagged(named.collect(), query).await?
        };
        keys.sort();
        Ok(keys)
    }

    /// Every secret below this folder. A folder that may not be listed fails the whole: a list that lacks names would be
    /// taken for the truth.
    async fn walk(&self, root: Place) -> Result<Vec<Found>, SourceError> {
        let (mut secrets, mut folders) = (Vec::new(), vec![Found { below: String::new(), place: root }]);
        let (mut under_way, mut entries) = (FuturesUnordered::new(), 0);
        loop {
            while under_way.len() < AT_ONCE
                && let Some(folder) = folders.pop()
            {
                under_way.push(async {
                    let names = self.list(&folder.place).await;
                    (folder, names)
                });
            }
            let Some((folder, names)) = under_way.next().await else { return Ok(secrets) };
            let names = names?;
            entries += names.len();
            within_bounds(PROVIDER, entries)?;
            for name in names {
                let child = folder.child(name.trim_end_matches('/'));
                if name.ends_with('/') { folders.push(child) } else { secrets.push(child) }
            }
        }
    }

    async fn list(&self, folder: &Place) -> Result<Vec<String>, SourceError> {
        let (mount, path) = (folder.mount.clone(), folder.path.clone());
        let names = match self.paths.version {
            Version::V1 => {
                self.names(&build(kv1::requests::ListSecretRequest::builder().mount(mount).path(path).build())?).await
            }
            Version::V2 => {
                self.names(&build(kv2::requests::ListSecretsRequest::builder().mount(mount).path(path).build())?).await
            }
        };
        match names {
            Err(error) if error.is_absence() => Ok(Vec::new()),
            names => names,
        }
    }

    async fn names(&self, endpoint: &impl Endpoint) -> Result<Vec<String>, SourceError> {
        let body = self.session.call(endpoint, "find", self.namespace.as_deref()).await?;
        Ok(parse::<Enclosed<Names>>(&body, "find")?.data.map(|names| names.keys).unwrap_or_default())
    }

    /// Those that have all the tags.
    async fn tagged(&self, candidates: Vec<(String, Place)>, query: &Query) -> Result<Vec<String>, SourceError> {
        let checked = candidates.into_iter().map(|(key, place)| async move {
            match self.read_metadata(place).await {
                Ok(metadata) => {
                    let custom = metadata.custom_metadata.as_ref();
                    let has = |(tag, value)| custom.and_then(|custom| custom.get(tag)) == Some(value);
                    Ok(query.tags.iter().all(has).then_some(key))
                }
                // Gone since it was listed.
                Err(error) if error.is_absence() => Ok(None),
                Err(error) => Err(error.with_key(key)),
            }
        });
        let results: Vec<_> = stream::iter(checked).buffer_unordered(AT_ONCE).collect().await;
        results.into_iter().filter_map(Result::transpose).collect()
    }
}

impl Found {
    fn child(&self, name: &str) -> Self {
        let join = |path: &str| if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
        let place = Place { mount: self.place.mount.clone(), path: join(&self.place.path) };
        Self { below: join(&self.below), place }
    }
}
