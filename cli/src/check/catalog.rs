//! The rules by their ids: what each one finds, how much it matters, and what to do. `--explain`, SARIF and
//! `docs/check.md` are made from this table.

use Severity::{Error, Notice, Warning};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// To know.
    Notice,
    /// To look at.
    Warning,
    /// Must not be merged.
    Error,
}

impl Severity {
    /// The word for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Notice => "notice",
            Warning => "warning",
            Error => "error",
        }
    }
}

/// A rule as it is documented.
#[derive(Debug)]
pub(crate) struct Rule {
    /// Stable: baselines, allow comments and dashboards refer to it.
    pub(crate) id: &'static str,
    /// What it finds, in a few words.
    pub(crate) title: &'static str,
    /// How much that matters.
    pub(crate) severity: Severity,
    /// Whether a finding means that a secret is readable: once committed, it has to be changed.
    pub(crate) plaintext: bool,
    /// When it fires, when it does not.
    pub(crate) explanation: &'static str,
    /// What to do.
    pub(crate) fix: &'static str,
}

macro_rules! rules {
    ($($id:ident $severity:ident $plaintext:literal $title:literal $explanation:literal $fix:literal)*) => {
        /// The rules, for code that reports one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Id {
            $(#[doc = $title] $id,)*
        }

        /// Every rule, sorted by id.
        pub(crate) static RULES: &[Rule] = &[
            $(Rule {
                id: stringify!($id), title: $title, severity: $severity, plaintext: $plaintext,
                explanation: $explanation, fix: $fix,
            },)*
        ];
    };
}

rules! {
    WAX101 Error true "a Secret holds a value in the clear"
    "A Kubernetes Secret, anywhere in a YAML or JSON file (also in a List, in a text that holds a manifest, behind an \
     alias or a merge key, and in a template), has an item in data or stringData that is not encrypted; or an \
     EncryptedSecret has one in spec.data. Not meant are items that are empty, that consist of expressions alone \
     ({{ .Values.x }}, ${NAME}, references of Argo CD Vault Plugin, vals and 1Password), public certificates and SSH \
     public keys, and what age or PGP encrypted. base64 is no encryption: items of data are decoded first."
    "Run `sealwax seal FILE` for an EncryptedSecret, or `sealwax encrypt FILE`; if it was ever pushed, change the value at its origin."

    WAX102 Error true "a value that the policy encrypts is in the clear"
    "A rule of .sealwax.toml selects the value, and it is no token: added by hand, decrypted and not encrypted again, \
     or never encrypted. Values reached through an alias or a merge key count, as programs see them."
    "Run `sealwax encrypt FILE`; if it was ever pushed, change the value at its origin."

    WAX103 Error true "a value that was encrypted is in the clear"
    "The commit before holds a token (or a SOPS value) at the same path of the same object, and now a plain value stands \
     there, as `decrypt --in-place` leaves it."
    "Run `sealwax encrypt FILE` or `sops encrypt -i FILE`, or take the file back with `git checkout -- FILE`."

    WAX104 Error true "a secretGenerator holds a literal"
    "A kustomization makes a Secret of a text that stands in it (secretGenerator, literals). Expressions and empty \
     values are not meant."
    "Move the value into an EncryptedSecret, and take the generator away."

    WAX105 Warning true "a Secret holds a placeholder"
    "The item is <some words> or one of a few well-known words such as changeme or REPLACE_ME, exactly. Nothing tells \
     whether something fills it in later; if nothing does, it is a password that everybody knows."
    "Leave the item out of the manifest, or write an expression that the tool that fills it in knows."

    WAX106 Warning true "a comment in an encrypted file looks like a secret"
    "A comment of a file with encrypted values has a word such as password or token, then a colon or an equals sign, \
     then a text without blanks. Comments are never encrypted by sealwax."
    "Remove the comment; if it was ever pushed, change the value at its origin."

    WAX201 Error false "a token or key block is malformed"
    "A value starts like a token and is none, a token has no key block, or the key block cannot be read. Nobody will be \
     able to open it."
    "Take the file back from Git, or seal the value again with `sealwax set FILE KEY`."

    WAX202 Error false "two data keys are mixed"
    "Tokens or wraps in the key block belong to another data key than the block names, as after a merge that took lines \
     from both sides."
    "Take the key block and its tokens from one side; `sealwax git merge` does this by itself."

    WAX203 Error false "a reader of the policy cannot read"
    "The rule that governs the document names a recipient for whom neither this key nor an older one of the same name is \
     wrapped."
    "Run `sealwax rekey FILE` as someone who can read it."

    WAX204 Error false "someone whom the policy does not name can read"
    "A wrap is labelled for a reader who is not among the recipients of the rule. Labels are claims: one that is missing \
     here may still be wrapped under another's name, which `sealwax verify` tells."
    "Run `sealwax rekey FILE`, and change the values that it lists; or add the reader to the rule."

    WAX205 Notice false "a reader is named with an older key"
    "A wrap has the name of a recipient and the fingerprint of another key: the policy has a newer one, as after the rotation \
     of a cluster's key."
    "Run `sealwax rekey FILE` when it suits; until then nothing is wrong."

    WAX206 Error false "values are sealed for another place than their object"
    "sealedFor does not fit the kind of file, the namespace or the name in the manifest, so the values will not open there. \
     With --rendered, objects are compared as Kustomize or Helm renders them."
    "Run `sealwax rebind FILE` as someone who can read it."

    WAX207 Error false "values are sealed for another place than the policy says"
    "The rule states scope, for or context, and sealedFor says something else. Where the rule states none, a place that is wider \
     than the object itself is a warning."
    "Run `sealwax rebind FILE`, or state the place in the rule."

    WAX208 Error false "a wrap is not post-quantum, and the policy requires it"
    "post_quantum = \"require\" applies, and a wrap holds a stanza of another type than mlkem768x25519."
    "Run `sealwax rekey FILE` as someone who can read it."

    WAX209 Notice false "a classical reader undoes the others' post-quantum strength"
    "The same data key is wrapped for post-quantum and for classical readers. Whoever keeps the file until a quantum computer \
     exists can then read it."
    "Give every reader a post-quantum key (`sealwax keygen --pq`), and write post_quantum = \"require\"."

    WAX210 Notice false "many values carry a data key of their own"
    "More than 8 tokens, or 64 KiB of them, are self-contained, which makes the file large."
    "Run `sealwax rekey --fold FILE` as someone who can read it."

    WAX211 Error false "a wrap is no age file of its reader's type"
    "A wrap is not an age file with exactly one stanza, or its stanza is not of the type of the recipient whom the policy \
     gives this label. Its reader cannot open it, or someone else can."
    "Run `sealwax rekey FILE` as someone who can read it."

    WAX301 Error true "a file that .sops.yaml covers is not encrypted"
    "A creation rule's path_regex matches, and the file has no sops metadata although it holds values that the rule encrypts. Rules that \
     match by a general ending alone (.*\\.yaml) claim nothing here: a word such as secret, sops or enc has to stand in both the \
     expression and the path. Kustomizations and objects other than Secrets are not meant."
    "Run `sops encrypt -i FILE`; if it was ever pushed, change its values at their origin."

    WAX302 Error true "a SOPS file has a plain value that its selector encrypts"
    "The file's own metadata (encrypted_regex, the suffixes, comment expressions; by default everything that does not end in \
     _unencrypted) selects the value, and it is not encrypted, or is encrypted in a malformed way: added by hand, or with another tool."
    "Run `sops FILE` or `sealwax edit FILE` and save, or decrypt and encrypt the file again."

    WAX303 Error true "a SOPS file in which nothing is encrypted"
    "The file has sops metadata and values, and its selector matches none of them, or is no valid regular expression, which \
     SOPS takes for one that matches nothing."
    "Correct the selector in .sops.yaml, decrypt and encrypt the file again."

    WAX304 Error false "the metadata of a SOPS file is incomplete"
    "mac, lastmodified or every key is missing, or there are several selectors: SOPS refuses such a file, or ignores changes \
     in it."
    "Take the file back from Git, or encrypt it again."

    WAX305 Warning false "the readers of a SOPS file are not those of .sops.yaml"
    "The age recipients and PGP fingerprints in the file are not those of the creation rule that matches it."
    "Run `sops updatekeys FILE`; if someone has been removed, `sops rotate -i FILE`, and change its values at their origin."

    WAX306 Error false ".sops.yaml is invalid"
    "It cannot be parsed, an expression in it is no valid regular expression, or a rule has several selectors. SOPS encrypts \
     nothing with an invalid selector and says nothing."
    "Correct it."

    WAX401 Warning true "the template of a SealedSecret holds a value in the clear"
    "spec.template.data has an item without an expression. Templates are not encrypted and become part of the Secret."
    "Move the value to spec.encryptedData, or, if it is configuration, to a ConfigMap."

    WAX402 Error true "a value of a SealedSecret is not encrypted"
    "An item of spec.encryptedData is not base64 of the form that kubeseal writes."
    "Run `kubeseal` on it; if it was ever pushed, change the value at its origin."

    WAX501 Error true "a private key"
    "An age identity whose checksum is right, a private key in PEM whose contents are one (also encoded in base64, or in a JSON \
     string), in any text file. Shortened examples are not meant."
    "Take it out of the repository; if it was ever pushed, replace the key."

    WAX502 Warning true "an identity of an age plugin"
    "AGE-PLUGIN-…-1… with the right checksum. Some plugins keep the key in hardware, and this only says where; others \
     put the key itself here."
    "Take it out of the repository unless you know that the plugin keeps the key elsewhere."

    WAX503 Error true "a decrypted file was left behind"
    "The name says so: .dec, .decrypted~, .merge_file_ as Git's merges name their temporary files, or .sealwax- as sealwax names its own, \
     which stay when it is killed. Empty files are not meant."
    "Delete it and add the name to .gitignore; if it was ever pushed, change its values at their origin."

    WAX504 Warning false "an editor or a merge left a file behind"
    "The name is that of a YAML, JSON, dotenv or INI file with .orig, .rej, .bak, .edited, .swp or ~ at its end: such copies escape every \
     rule for the original."
    "Delete it and add the name to .gitignore."

    WAX505 Error false "conflict markers in an encrypted file"
    "Lines start with <<<<<<< and >>>>>>> in a file that holds encrypted values."
    "Resolve the conflict: take each value, and the key block, from one side."

    WAX601 Error false "a rule of the policy selects nothing"
    "In the whole repository no value is selected by the rule: its path, its kinds or its patterns have a mistake, or what \
     it protected has gone. Told only when all files are looked at."
    "Correct or remove the rule."

    WAX602 Error false "a second policy below the root"
    "A .sealwax.toml in a folder of the repository, which the policy at the root does not include: it would redirect writers past the \
     owners of the first one."
    "Move its rules into the policy at the root, or name it there with include."

    WAX603 Notice false "the policy changed together with the readers of files"
    "One change touches the policy or a public key that it names, and who reads encrypted files: look at who is added."
    "Compare the fingerprints with those that the new readers tell you."

    WAX604 Error true "Git caches decrypted text"
    "diff.sealwax.cachetextconv (or that of a SOPS driver) is on, or refs/notes/textconv/ has notes of such a driver: decrypted text is in \
     the object database, and is pushed with --mirror."
    "git config --unset diff.sealwax.cachetextconv; git update-ref -d refs/notes/textconv/sealwax; git gc --prune=now"

    WAX901 Error false "an allow comment without a rule or a reason"
    "sealwax:allow needs the id of a rule and a reason: `# sealwax:allow WAX101 a public demo password`."
    "Write the rule and the reason, or remove the comment."

    WAX902 Notice false "an allow comment that allows nothing"
    "Nothing that the comment allows is found there any more."
    "Remove the comment."

    WAX903 Notice false "an entry of the baseline that no longer matches"
    "What the baseline excuses is gone. Told only when all files are looked at."
    "Write the baseline again with --update-baseline."

    WAX904 Error false "a file that could hold secrets cannot be read"
    "A rule of the policy covers the file, or it looks like a Secret or like an encrypted file, and it is not valid YAML or JSON, has a \
     key twice, is not text, or is too large. Nobody can tell what is in it, so this is never passed over."
    "Correct the file, or exclude it from the rule's path."
}

impl Id {
    /// The rule.
    pub(crate) fn rule(self) -> &'static Rule {
        // The table and the enum are made from the same list.
        &RULES[self as usize]
    }
}

/// The rule with an id.
pub(crate) fn find(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id.eq_ignore_ascii_case(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_sorted_and_lead_to_their_rules() {
        assert!(RULES.is_sorted_by(|a, b| a.id < b.id));
        assert_eq!(Id::WAX101.rule().id, "WAX101");
        assert_eq!(Id::WAX904.rule().id, "WAX904");
        assert_eq!(find("wax302").map(|rule| rule.id), Some("WAX302"));
        assert!(find("WAX999").is_none());
    }
}
