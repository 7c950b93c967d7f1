//! The vectors of the age project for `mlkem768x25519`, from its C2SP collection.

use std::io::Read as _;
use std::path::PathBuf;

use sealwax_format::keys::pq;
use sha2::{Digest as _, Sha256};

#[test]
fn every_age_vector_reads_as_it_says() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/age");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let split = bytes.windows(2).position(|pair| pair == b"\n\n").unwrap();
        let head = std::str::from_utf8(&bytes[..split]).unwrap();
        let field =
            |name: &str| head.lines().filter_map(|l| l.split_once(": ")).find(|(k, _)| *k == name).map(|(_, v)| v);
        let identities: Vec<Box<dyn age::Identity>> = head
            .lines()
            .filter_map(|line| line.strip_prefix("identity: "))
            .map(|text| match text.parse::<pq::Identity>() {
                Ok(identity) => Box::new(identity) as Box<dyn age::Identity>,
                Err(_) => Box::new(text.parse::<age::x25519::Identity>().unwrap()),
            })
            .collect();
        let mut file = bytes[split + 2..].to_vec();
        if field("compressed") == Some("zlib") {
            let packed = std::mem::take(&mut file);
            flate2::read::ZlibDecoder::new(&packed[..]).read_to_end(&mut file).unwrap();
        }
        let outcome = open(&file, &identities);
        let expected = field("expect").unwrap();
        match (&outcome, expected) {
            (Ok(payload), "success") => {
                let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(payload));
                assert_eq!(Some(digest.as_str()), field("payload"), "{}", path.display());
            }
            (Err(age::DecryptError::NoMatchingKeys), "no match")
            | (
                Err(age::DecryptError::InvalidHeader | age::DecryptError::UnknownFormat | age::DecryptError::Io(_)),
                "header failure",
            ) => {}
            _ => panic!("{}: expected {expected}, got {:?}", path.display(), outcome.err()),
        }
        count += 1;
    }
    assert_eq!(count, 18, "vectors are missing");
}

fn open(file: &[u8], identities: &[Box<dyn age::Identity>]) -> Result<Vec<u8>, age::DecryptError> {
    let decryptor = age::Decryptor::new(file)?;
    let mut payload = Vec::new();
    decryptor.decrypt(identities.iter().map(|identity| &**identity))?.read_to_end(&mut payload)?;
    Ok(payload)
}
