//! `cargo xtask image`: builds the controller's image, and looks whether it is what it shall be.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use xtask::archive::Image;
use xtask::tools::{image::build_image, target_dir};

use crate::{Failure, ui};

/// Everything in the image; a directory has no size.
const CONTENTS: [(&str, u32); 6] = [
    ("", 0o755),
    ("/etc", 0o755),
    ("/etc/ssl", 0o755),
    ("/etc/ssl/certs", 0o755),
    ("/etc/ssl/certs/ca-certificates.crt", 0o644),
    ("/sealwax-controller", 0o755),
];

/// The most that its files may take together, in bytes: half of it is the clients of AWS.
const MOST: u64 = 30_000_000;

/// What the command line asks for.
struct Wanted {
    output: PathBuf,
    check: bool,
}

impl Wanted {
    fn parse(arguments: &[String]) -> Result<Self, Failure> {
        let mut wanted = Self { output: target_dir().join("sealwax-controller.oci.tar"), check: false };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--check" => wanted.check = true,
                "--output" => match rest.next() {
                    Some(file) => wanted.output = PathBuf::from(file),
                    None => return Err(Failure::Usage("`--output` needs a file".to_owned())),
                },
                other => return Err(Failure::Usage(format!("`image` takes no `{other}`"))),
            }
        }
        Ok(wanted)
    }
}

/// Builds the image; with `--check` twice, and compares and inspects.
pub(crate) fn image(arguments: &[String]) -> Result<(), Failure> {
    let wanted = Wanted::parse(arguments)?;
    build_image(&wanted.output, &ui::progress)?;
    let image = read(&wanted.output)?;
    if wanted.check {
        let findings = inspect(&image);
        if !findings.is_empty() {
            return Err(Failure::Unsuccessful(format!("the image is not as it shall be: {}", findings.join("; "))));
        }
        let second = wanted.output.with_extension("second");
        build_image(&second, &ui::progress)?;
        let again = read(&second)?;
        fs::remove_file(&second).map_err(Failure::file(&second))?;
        if again.digest != image.digest {
            let both = format!("{} and {}", image.digest, again.digest);
            return Err(Failure::Unsuccessful(format!("two builds of the image differ: {both}")));
        }
    }
    let megabytes = format!("{}.{} MB", image.size() / 1_000_000, image.size() / 100_000 % 10);
    ui::line(&format!("{} {} ({megabytes})", wanted.output.display(), image.digest));
    Ok(())
}

fn read(archive: &Path) -> Result<Image, Failure> {
    Image::read(archive).map_err(|source| Failure::Archive { path: archive.to_path_buf(), source })
}

/// What is wrong with it.
fn inspect(image: &Image) -> Vec<String> {
    let mut findings = Vec::new();
    let config = &image.config["config"];
    let expected = [
        ("User", Value::from("65532:65532")),
        ("Entrypoint", Value::from(vec!["/sealwax-controller"])),
        ("Cmd", Value::Null),
        ("Volumes", Value::Null),
    ];
    let version = &config["Labels"]["org.opencontainers.image.version"];
    if version != env!("CARGO_PKG_VERSION") {
        findings.push(format!("its label says version {version}"));
    }
    for (field, value) in expected {
        if config[field] != value {
            findings.push(format!("{field} is {}, not {value}", config[field]));
        }
    }
    for (path, mode) in CONTENTS.iter().filter(|(path, _)| !path.is_empty()) {
        match image.entries.get(*path) {
            None => findings.push(format!("{path} is missing")),
            Some(entry) if entry.mode != *mode => findings.push(format!("{path} has mode {:o}", entry.mode)),
            Some(entry) if entry.user != 0 => findings.push(format!("{path} belongs to user {}", entry.user)),
            Some(entry) if entry.modified != 0 => findings.push(format!("{path} has a time of its own")),
            Some(entry) if entry.size == Some(0) => findings.push(format!("{path} is empty")),
            Some(_) => {}
        }
    }
    for path in image.entries.keys().filter(|path| !CONTENTS.iter().any(|(known, _)| known == path)) {
        findings.push(format!("{path} does not belong there"));
    }
    if image.size() > MOST {
        findings.push(format!("its files take {} bytes", image.size()));
    }
    findings
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;
    use xtask::archive::Entry;

    use super::*;

    fn good() -> Image {
        let entry = |(path, mode): &(&str, u32)| {
            let size = path.contains("ca-").then_some(1).or_else(|| path.contains("sealwax").then_some(2));
            ((*path).to_owned(), Entry { mode: *mode, user: 0, modified: 0, size })
        };
        Image {
            digest: "sha256:0".into(),
            config: json!({"config": {
                "User": "65532:65532",
                "Entrypoint": ["/sealwax-controller"],
                "Labels": {"org.opencontainers.image.version": env!("CARGO_PKG_VERSION")},
            }}),
            entries: CONTENTS.iter().map(entry).collect::<BTreeMap<_, _>>(),
        }
    }

    #[test]
    fn a_good_image_has_no_findings_and_a_bad_one_has() {
        assert_eq!(inspect(&good()), Vec::<String>::new());
        let mut bad = good();
        bad.config["config"]["User"] = json!("0");
        bad.entries.insert("/bin/sh".into(), Entry { mode: 0o755, user: 0, modified: 0, size: Some(MOST) });
        bad.entries.remove("/etc/ssl/certs/ca-certificates.crt");
        bad.entries.get_mut("/sealwax-controller").unwrap().modified = 1;
        let findings = inspect(&bad);
        for part in ["User is", "/bin/sh does not", "crt is missing", "a time of its own", "its files take"] {
            assert!(findings.iter().any(|finding| finding.contains(part)), "{part}: {findings:?}");
        }
    }
}
