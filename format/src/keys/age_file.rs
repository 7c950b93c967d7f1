//! Whole texts for recipients: ordinary armored age files, which escrow copies and backups are.

use std::io::{Read, Write};

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use zeroize::Zeroizing;

use super::{Keyring, Recipient};
use crate::secret::SecretBytes;

/// Largest text that is read back.
const MAX: u64 = 64 << 20;

/// Why a text was not encrypted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncryptFileError {
    /// One classical recipient would undo the strength of the others.
    #[error("classical and post-quantum recipients cannot read one file together; use one kind")]
    Mixed,
    /// A recipient's own step failed, or there is none.
    #[error("the recipients cannot read one file together")]
    Recipients(#[source] age::EncryptError),
    /// The age library wrote nothing.
    #[error("the age file could not be written")]
    Write(#[source] std::io::Error),
}

/// Why a file was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecryptFileError {
    /// Something else.
    #[error("it is no age file")]
    NotAge,
    /// Cut off or altered in its header.
    #[error("it is a damaged age file")]
    Damaged(#[source] age::DecryptError),
    /// Made for others.
    #[error("none of the identities at hand is one of its readers")]
    NoIdentity,
    /// Cut off or altered in its contents.
    #[error("its contents are damaged")]
    Contents(#[source] std::io::Error),
}

/// Encrypts a text to recipients as `age --armor` does.
pub fn encrypt_file(recipients: &[Recipient], plaintext: &[u8]) -> Result<String, EncryptFileError> {
    let mut strengths = recipients.iter().map(Recipient::strength);
    let first = strengths.next();
    if strengths.any(|strength| Some(strength) != first) {
        return Err(EncryptFileError::Mixed);
    }
    let recipients = recipients.iter().map(|recipient| &*recipient.wraps as &dyn age::Recipient);
    let encryptor = age::Encryptor::with_recipients(recipients).map_err(EncryptFileError::Recipients)?;
    let mut file = Vec::new();
    let write = |file: &mut Vec<u8>| {
        let mut writer = encryptor.wrap_output(ArmoredWriter::wrap_output(file, Format::AsciiArmor)?)?;
        writer.write_all(plaintext)?;
        writer.finish()?.finish().map(|_| ())
    };
    write(&mut file).map_err(EncryptFileError::Write)?;
    String::from_utf8(file).map_err(|error| EncryptFileError::Write(std::io::Error::other(error)))
}

/// Opens an age file, armored or not.
pub fn decrypt_file(file: &[u8], identities: &Keyring) -> Result<SecretBytes, DecryptFileError> {
    let begins = |with: &[u8]| file.trim_ascii_start().starts_with(with);
    if !begins(b"age-encryption.org/") && !begins(b"-----BEGIN AGE ENCRYPTED FILE-----") {
        return Err(DecryptFileError::NotAge);
    }
    let decryptor = age::Decryptor::new_buffered(ArmoredReader::new(file)).map_err(DecryptFileError::Damaged)?;
    let mut reader = match decryptor.decrypt(identities.identities()) {
        Ok(reader) => reader.take(MAX),
        Err(age::DecryptError::NoMatchingKeys) => return Err(DecryptFileError::NoIdentity),
        Err(error) => return Err(DecryptFileError::Damaged(error)),
    };
    // As large as it will get: a vector that grows leaves copies of its contents behind.
    let mut plaintext = Zeroizing::new(Vec::with_capacity(file.len()));
    reader.read_to_end(&mut plaintext).map_err(DecryptFileError::Contents)?;
    Ok(SecretBytes::from(plaintext))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::pq;

    fn ring(identity: pq::Identity) -> (Recipient, Keyring) {
        let recipient = Recipient::parse("escrow", &identity.to_public().to_string()).unwrap();
        let mut ring = Keyring::default();
        ring.add(recipient.label().fingerprint().clone(), Box::new(identity));
        (recipient, ring)
    }

    #[test]
    fn opens_for_its_readers_only() {
        let (recipient, ours) = ring(pq::Identity::generate());
        let (_, theirs) = ring(pq::Identity::generate());
        let file = encrypt_file(&[recipient], b"text").unwrap();
        assert!(file.starts_with("-----BEGIN AGE ENCRYPTED FILE-----\n"));
        assert_eq!(decrypt_file(file.as_bytes(), &ours).unwrap().expose(), b"text");
        assert!(matches!(decrypt_file(file.as_bytes(), &theirs), Err(DecryptFileError::NoIdentity)));
        assert!(matches!(decrypt_file(&file.as_bytes()[..200], &ours), Err(DecryptFileError::Damaged(_))));
        assert!(matches!(decrypt_file(b"text", &ours), Err(DecryptFileError::NotAge)));
    }

    #[test]
    fn one_classical_reader_is_not_mixed_in() {
        let (quantum, _) = ring(pq::Identity::generate());
        let classical = age::x25519::Identity::generate().to_public().to_string();
        let classical = Recipient::parse("escrow", &classical).unwrap();
        let refused = encrypt_file(&[quantum, classical], b"text");
        assert!(matches!(refused, Err(EncryptFileError::Mixed)));
    }
}
