//! Looks into an image: what an OCI archive holds, read without the program that made it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use flate2::read::GzDecoder;
use serde_json::Value;

/// An image of one platform.
#[derive(Debug)]
pub struct Image {
    /// The digest by which a registry names it.
    pub digest: String,
    /// Its configuration: user, entry point, labels.
    pub config: Value,
    /// Its files and directories, by path.
    pub entries: BTreeMap<String, Entry>,
}

/// A file or directory in an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The permissions.
    pub mode: u32,
    /// The owner.
    pub user: u64,
    /// The time of its last change, in seconds since 1970.
    pub modified: u64,
    /// Its length; `None` for a directory.
    pub size: Option<u64>,
}

/// Why an archive could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It could not be read as an archive.
    #[error("the archive cannot be read")]
    Unreadable(#[from] io::Error),
    /// One of its documents is no JSON.
    #[error("a document in the archive is not JSON")]
    NotJson(#[from] serde_json::Error),
    /// It is an archive, but not of an image.
    #[error("the archive has no {0}")]
    Missing(String),
}

impl Image {
    /// Reads the one image of an OCI archive.
    pub fn read(archive: &Path) -> Result<Self, ArchiveError> {
        Self::of(File::open(archive)?)
    }

    fn of(archive: impl Read) -> Result<Self, ArchiveError> {
        let blobs = unpack(archive)?;
        let index: Value = serde_json::from_slice(blob(&blobs, "index.json")?)?;
        let digest = text(&index["manifests"][0]["digest"], "manifest")?;
        let manifest: Value = serde_json::from_slice(by_digest(&blobs, &digest)?)?;
        let config = text(&manifest["config"]["digest"], "configuration")?;
        let config = serde_json::from_slice(by_digest(&blobs, &config)?)?;
        let mut entries = BTreeMap::new();
        for layer in manifest["layers"].as_array().into_iter().flatten() {
            let layer = text(&layer["digest"], "layer")?;
            read_layer(by_digest(&blobs, &layer)?, &mut entries)?;
        }
        Ok(Self { digest, config, entries })
    }

    /// The length of all files together.
    pub fn size(&self) -> u64 {
        self.entries.values().filter_map(|entry| entry.size).sum()
    }
}

/// The files of an archive by name.
fn unpack(archive: impl Read) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(archive).entries()? {
        let mut entry = entry?;
        let name = entry.path()?.display().to_string();
        let mut contents = Vec::new();
        entry.read_to_end(&mut contents)?;
        files.insert(name, contents);
    }
    Ok(files)
}

fn read_layer(layer: &[u8], entries: &mut BTreeMap<String, Entry>) -> io::Result<()> {
    let plain: Box<dyn Read> =
        if layer.starts_with(&[0x1f, 0x8b]) { Box::new(GzDecoder::new(layer)) } else { Box::new(layer) };
    for entry in tar::Archive::new(plain).entries()? {
        let entry = entry?;
        let name = format!("/{}", entry.path()?.display()).trim_end_matches('/').to_owned();
        let header = entry.header();
        let size = (!header.entry_type().is_dir()).then_some(entry.size());
        let (mode, user, modified) = (header.mode()? & 0o7777, header.uid()?, header.mtime()?);
        entries.insert(name, Entry { mode, user, modified, size });
    }
    Ok(())
}

fn blob<'a>(blobs: &'a BTreeMap<String, Vec<u8>>, name: &str) -> Result<&'a [u8], ArchiveError> {
    blobs.get(name).map(Vec::as_slice).ok_or_else(|| ArchiveError::Missing(name.to_owned()))
}

fn by_digest<'a>(blobs: &'a BTreeMap<String, Vec<u8>>, digest: &str) -> Result<&'a [u8], ArchiveError> {
    blob(blobs, &format!("blobs/{}", digest.replace(':', "/")))
}

fn text(value: &Value, what: &str) -> Result<String, ArchiveError> {
    value.as_str().map(str::to_owned).ok_or_else(|| ArchiveError::Missing(what.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    /// A tar file of these files, each with the time 7.
    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, contents) in files {
            let mut header = tar::Header::new_ustar();
            header.set_size(contents.len() as u64);
            header.set_mode(0o755);
            header.set_mtime(7);
            header.set_uid(1);
            header.set_cksum();
            builder.append_data(&mut header, name, *contents).unwrap();
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn an_image_is_read_through_its_index_its_manifest_and_its_compressed_layer() {
        let mut layer = GzEncoder::new(Vec::new(), Compression::fast());
        layer.write_all(&archive(&[("bin/program", b"1234")])).unwrap();
        let layer = layer.finish().unwrap();
        let whole = archive(&[
            ("index.json", br#"{"manifests": [{"digest": "sha256:m"}]}"#),
            ("blobs/sha256/m", br#"{"config": {"digest": "sha256:c"}, "layers": [{"digest": "sha256:l"}]}"#),
            ("blobs/sha256/c", br#"{"config": {"User": "1:1"}}"#),
            ("blobs/sha256/l", &layer),
        ]);
        let image = Image::of(&whole[..]).unwrap();
        assert_eq!((image.digest.as_str(), image.size()), ("sha256:m", 4));
        assert_eq!(image.config["config"]["User"], "1:1");
        let entry = Entry { mode: 0o755, user: 1, modified: 7, size: Some(4) };
        assert_eq!(image.entries, BTreeMap::from([("/bin/program".to_owned(), entry)]));

        let missing = Image::of(&archive(&[("index.json", br#"{"manifests": [{"digest": "sha256:m"}]}"#)])[..]);
        assert_eq!(missing.unwrap_err().to_string(), "the archive has no blobs/sha256/m");
    }
}
