//! Where a key lies: the rules by which the External Secrets Operator reads them.

use super::{PROVIDER, Version};
use crate::SourceError;

/// How the keys of one store are read.
#[derive(Clone, Debug)]
pub(super) struct Paths {
    mount: Option<String>,
    pub(super) version: Version,
}

/// A secret, or a folder, within its mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) mount: String,
    pub(super) path: String,
}

impl Paths {
    pub(super) fn new(mount: Option<&str>, version: Version) -> Result<Self, SourceError> {
        let mount = mount.map(clean).transpose()?.filter(|mount| !mount.is_empty());
        Ok(Self { mount, version })
    }

    /// Where the secret of this key lies.
    ///
    /// With a mount: a key may repeat it, and `data/` after it; both are cut off, once. So a secret whose own path begins
    /// with the mount's name is reached by repeating the mount. Without one: version 2 takes the key's first segment, or,
    /// if it has `/data/` in it, what comes before that.
    pub(super) fn place(&self, key: &str) -> Result<Place, SourceError> {
        let place = self.split(&clean(key)?, false);
        if place.mount.is_empty() || place.path.is_empty() {
            return Err(SourceError::invalid(PROVIDER, "read", "the key names no secret within a mount"));
        }
        Ok(place)
    }

    /// The same of a folder, which may be the whole mount.
    pub(super) fn folder(&self, path: &str) -> Result<Place, SourceError> {
        let place = self.split(&clean(path)?, true);
        if place.mount.is_empty() {
            let why = "the store has no path, so a find has to say one that begins with a mount";
            return Err(SourceError::invalid(PROVIDER, "find", why));
        }
        Ok(place)
    }

    fn split(&self, key: &str, folder: bool) -> Place {
        let versioned = self.version == Version::V2;
        let below = |path, parent| below(path, parent).filter(|rest: &&str| folder || !rest.is_empty());
        let (mount, path) = if let Some(mount) = &self.mount {
            match below(key, mount) {
                Some(rest) if versioned => (mount.as_str(), below(rest, "data").unwrap_or(rest)),
                Some(rest) => (mount.as_str(), rest),
                None => (mount.as_str(), key),
            }
        } else {
            let explicit = if versioned { key.split_once("/data/") } else { None };
            let (mount, path) = explicit.or_else(|| key.split_once('/')).unwrap_or((key, ""));
            (mount, if versioned && folder && path == "data" { "" } else { path })
        };
        Place { mount: mount.to_owned(), path: path.to_owned() }
    }

    /// A key that reads this place: as short as somebody would write it below `folder`, unless that would be read as
    /// another place.
    pub(super) fn key(&self, folder: &str, place: &Place, below_folder: &str) -> String {
        let folder = clean(folder).unwrap_or_default();
        let short = if folder.is_empty() { below_folder.to_owned() } else { format!("{folder}/{below_folder}") };
        if self.place(&short).is_ok_and(|read| read == *place) {
            return short;
        }
        match self.version {
            Version::V1 => format!("{}/{}", place.mount, place.path),
            Version::V2 => format!("{}/data/{}", place.mount, place.path),
        }
    }
}

/// What of `path` is below `folder`.
fn below<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    match path.strip_prefix(folder)? {
        "" => Some(""),
        rest => rest.strip_prefix('/'),
    }
}

/// Without empty segments. Segments that a URL would resolve, and characters that it would drop, are refused: they would
/// read another secret than they say.
fn clean(path: &str) -> Result<String, SourceError> {
    let segments: Vec<_> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let dots = |segment: &&str| matches!(*segment, "." | "..");
    if segments.iter().any(dots) || path.chars().any(char::is_control) {
        let why = "a path has no segments of dots and no control characters";
        return Err(SourceError::invalid(PROVIDER, "read", why));
    }
    Ok(segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1: Version = Version::V1;
    const V2: Version = Version::V2;

    fn url(mount: Option<&str>, version: Version, key: &str) -> String {
        let place = Paths::new(mount, version).unwrap().place(key).unwrap();
        match version {
            Version::V1 => format!("{}/{}", place.mount, place.path),
            Version::V2 => format!("{}/data/{}", place.mount, place.path),
        }
    }

    #[test]
    fn keys_are_read_as_the_operator_reads_them() {
        for (mount, version, key, expected) in [
            (Some("secret/path"), V2, "foo", "secret/path/data/foo"),
            (Some("secret/path"), V1, "foo", "secret/path/foo"),
            (Some("secret/path"), V2, "secret/path/foo", "secret/path/data/foo"),
            (Some("secret/path"), V2, "secret/path/data/foo", "secret/path/data/foo"),
            (Some("secret/path"), V1, "secret/path/foo", "secret/path/foo"),
            (Some("secret/path"), V1, "secret/path/data/foo", "secret/path/data/foo"),
            (Some("secret"), V2, "data/foo", "secret/data/data/foo"),
            (Some("secret"), V2, "secrets/foo", "secret/data/secrets/foo"),
            (Some("secret"), V2, "secret", "secret/data/secret"),
            (Some("secret"), V2, "secret/data", "secret/data/data"),
            (Some("secret/"), V2, "/a//b/", "secret/data/a/b"),
            (None, V2, "kv/data", "kv/data/data"),
            (None, V2, "secret/path/foo", "secret/data/path/foo"),
            (None, V2, "secret/path/data/foo", "secret/path/data/foo"),
            (None, V1, "secret/path/foo", "secret/path/foo"),
            (None, V1, "secret/data/foo", "secret/data/foo"),
        ] {
            assert_eq!(url(mount, version, key), expected, "{mount:?} {version:?} {key}");
        }
    }

    #[test]
    fn a_path_that_begins_like_its_mount_has_a_key() {
        assert_eq!(url(Some("secret"), V2, "secret/secret/foo"), "secret/data/secret/foo");
        assert_eq!(url(Some("secret"), V2, "secret/data/secret/foo"), "secret/data/secret/foo");
        assert_eq!(url(Some("secret"), V2, "secret/data/data/foo"), "secret/data/data/foo");
        assert_eq!(url(Some("secret"), V1, "secret/secret/foo"), "secret/secret/foo");
    }

    #[test]
    fn what_is_found_is_read_where_it_was_found() {
        for (mount, version, folder, below_folder, expected) in [
            (Some("secret"), V2, "", "dev/config", "dev/config"),
            (Some("secret"), V2, "dev/", "config", "dev/config"),
            (Some("secret"), V2, "secret/dev", "config", "secret/dev/config"),
            (Some("secret"), V2, "", "secret/config", "secret/data/secret/config"),
            (Some("secret"), V2, "", "data/config", "data/config"),
            (Some("secret"), V2, "secret", "data/config", "secret/data/data/config"),
            (Some("secret"), V2, "secret/data", "config", "secret/data/config"),
            (None, V2, "kv/data", "config", "kv/data/config"),
            (Some("secret"), V1, "", "secret/config", "secret/secret/config"),
            (None, V2, "kv/dev", "config", "kv/dev/config"),
            (None, V2, "kv/data/dev", "config", "kv/data/dev/config"),
            (None, V2, "kv", "a/data/b", "kv/data/a/data/b"),
            (None, V1, "kv", "a/data/b", "kv/a/data/b"),
        ] {
            let paths = Paths::new(mount, version).unwrap();
            let mut place = paths.folder(folder).unwrap();
            place.path =
                if place.path.is_empty() { below_folder.to_owned() } else { format!("{}/{below_folder}", place.path) };
            let key = paths.key(folder, &place, below_folder);
            assert_eq!(key, expected, "{mount:?} {version:?} {folder}");
            assert_eq!(paths.place(&key).unwrap(), place, "{mount:?} {version:?} {folder}");
        }
    }

    #[test]
    fn what_would_read_another_secret_than_it_says_is_refused() {
        let paths = Paths::new(Some("secret"), V2).unwrap();
        for key in ["a/../b", "..", "./a", "a\tb", "a\nb", "", "/"] {
            assert_eq!(paths.place(key).unwrap_err().reason(), "SourceInvalid", "{key:?}");
        }
        assert!(Paths::new(None, V2).unwrap().place("mount").is_err());
        assert!(Paths::new(Some("a/../sys"), V2).is_err());
    }
}
