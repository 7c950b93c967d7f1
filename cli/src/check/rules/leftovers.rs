//! What editors, merges and decrypting tools leave behind, and conflicts that were committed.

use std::path::Path;

use crate::check::catalog::Id;
use crate::check::finding::Finding;

/// Ends of names that only a decrypted copy has.
const DECRYPTED: [&str; 4] = [".dec", ".decrypted~", ".dec.yaml", ".dec.yml"];
/// Ends that editors and merges append.
const COPIES: [&str; 8] = [".orig", ".rej", ".bak", ".edited", ".swp", ".swo", ".old", "~"];
/// Files that may hold secrets, by the end of their names.
const KINDS: [&str; 6] = [".yaml", ".yml", ".json", ".env", ".ini", ".agekey"];

/// Looks at the name of a file that is not empty.
pub(in crate::check) fn by_name(path: &Path, bytes: &[u8], findings: &mut Vec<Finding>) {
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    if bytes.is_empty() {
        return;
    }
    let decrypted = DECRYPTED.iter().any(|end| name.ends_with(end)) || name.contains(".decrypted~");
    if decrypted || name.starts_with(".merge_file_") {
        let message = "by its name, the file was decrypted or is left over from a merge";
        findings.push(Finding::new(Id::WAX503, path, message));
        return;
    }
    // A process of ours that was killed: ciphertext, or of `decrypt --in-place` plaintext.
    if name.starts_with(".sealwax-") {
        findings.push(Finding::new(Id::WAX503, path, "by its name, a sealwax that was killed left the file"));
        return;
    }
    let copied = COPIES.iter().find_map(|end| name.strip_suffix(end));
    if copied.is_some_and(|copied| KINDS.iter().any(|kind| copied.ends_with(kind))) {
        findings.push(Finding::new(Id::WAX504, path, "by its name, the file is a copy that an editor or a merge left"));
    }
}
