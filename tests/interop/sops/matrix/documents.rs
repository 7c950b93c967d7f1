//! One file of each type, written as SOPS writes it, so that what either program opens is equal to it byte for byte.

use super::plan::{FileType, Selecting};

const YAML: &str = r#"# a word on the file
notes_unencrypted: s3cr3t-notes
token_secret: s3cr3t-token
meta:
    name: s3cr3t-name
    # of the meta
    size: 12
data:
    password: s3cr3t-pass
    port: 5432
    ratio: 1.5
    ready: true
    none: null
    empty: ""
    lines: |-
        one
        two
    list:
        - one
        - |-
          three
          four
        - lines: |
            five
            six
        # in the list
        - 2
        - deep: s3cr3t-deep
# secret: from here
hidden: s3cr3t-hidden
# public: from here
shown: s3cr3t-shown
"#;

const JSON: &str = r#"{
	"notes_unencrypted": "s3cr3t-notes",
	"token_secret": "s3cr3t-token",
	"meta": {
		"name": "s3cr3t-name",
		"size": 12
	},
	"data": {
		"password": "s3cr3t-pass",
		"ratio": 1.5,
		"ready": true,
		"none": null,
		"empty": "",
		"list": [
			"one",
			2,
			{
				"deep": "s3cr3t-deep"
			}
		]
	},
	"hidden": "s3cr3t-hidden",
	"shown": "s3cr3t-shown"
}
"#;

const DOTENV: &str = r"# a word on the file
notes_unencrypted=s3cr3t-notes
token_secret=s3cr3t-token
meta_name=s3cr3t-name
data_password=s3cr3t-pass
data_empty=
data_lines=one\ntwo
# secret: from here
hidden=s3cr3t-hidden
# public: from here
shown=s3cr3t-shown
";

/// SOPS takes a comment above a name for one of the next name, and one above a section for one of its first name.
const INI: &str = "\
; a word on the file
[one]
notes_unencrypted = s3cr3t-notes
token_secret      = s3cr3t-token

[meta]
; of the meta
name = s3cr3t-name

[data]
password = s3cr3t-pass
empty    = 

; secret: from here
[two]
hidden = s3cr3t-hidden

; public: from here
[three]
shown = s3cr3t-shown
";

const BINARY: &[u8] = b"bytes \xff\x00\r\n s3cr3t-bytes";

/// A value, by its text and by where it stands.
#[derive(Clone, Copy)]
pub(crate) struct Leaf {
    pub(crate) value: &'static str,
    pub(crate) path: &'static [&'static str],
}

impl Leaf {
    /// The name on its line.
    pub(crate) fn name(self) -> &'static str {
        self.path.last().copied().unwrap_or_default()
    }

    /// As `sealwax set` wants it.
    pub(crate) fn for_us(self) -> String {
        self.path.join(".")
    }

    /// As `sops set` wants it.
    pub(crate) fn for_sops(self) -> String {
        format!("[\"{}\"]", self.path.join("\"][\""))
    }
}

/// A file before it is encrypted, and what a selector makes of it.
pub(crate) struct Document {
    pub(crate) name: &'static str,
    pub(crate) plain: &'static [u8],
    pub(crate) encrypted: Vec<&'static str>,
    pub(crate) clear: Vec<&'static str>,
    /// A value that is encrypted, where values have names.
    pub(crate) target: Option<Leaf>,
}

impl Document {
    pub(crate) fn of(file: FileType, selecting: Selecting) -> Self {
        let (name, plain) = match file {
            FileType::Yaml => ("file.yaml", YAML.as_bytes()),
            FileType::Json => ("file.json", JSON.as_bytes()),
            FileType::Dotenv => ("file.env", DOTENV.as_bytes()),
            FileType::Ini => ("file.ini", INI.as_bytes()),
            FileType::Binary => ("file.bin", BINARY),
        };
        if file == FileType::Binary {
            return Self { name, plain, encrypted: vec!["s3cr3t-bytes"], clear: Vec::new(), target: None };
        }
        let values = ["s3cr3t-notes", "s3cr3t-token", "s3cr3t-name", "s3cr3t-pass", "s3cr3t-hidden", "s3cr3t-shown"];
        let nested = matches!(file, FileType::Yaml | FileType::Json).then_some("s3cr3t-deep");
        let values = values.into_iter().chain(nested);
        let (encrypted, clear) = values.partition(|value| is_encrypted(file, selecting, value));
        Self { name, plain, encrypted, clear, target: Some(target(file, selecting)) }
    }

    /// The file with another value at the target; bytes change as a whole.
    pub(crate) fn with(&self, value: &str) -> Vec<u8> {
        let Some(target) = self.target else { return [self.plain, b"\x80", value.as_bytes()].concat() };
        let text = std::str::from_utf8(self.plain).unwrap();
        assert_eq!(text.matches(target.value).count(), 1, "{}", target.value);
        text.replace(target.value, value).into_bytes()
    }
}

/// The part of the rule in `.sops.yaml`.
pub(crate) fn rule(selecting: Selecting) -> &'static str {
    match selecting {
        Selecting::DefaultSuffix => "",
        Selecting::EncryptedSuffix => "    encrypted_suffix: _secret\n",
        Selecting::EncryptedRegex => "    encrypted_regex: ^data\n",
        Selecting::UnencryptedRegex => "    unencrypted_regex: ^meta\n",
        Selecting::EncryptedCommentRegex => "    encrypted_comment_regex: 'secret:'\n",
        Selecting::UnencryptedCommentRegex => "    unencrypted_comment_regex: 'public:'\n",
        Selecting::MacOnlyEncrypted => "    encrypted_regex: ^data\n    mac_only_encrypted: true\n",
    }
}

fn is_encrypted(file: FileType, selecting: Selecting, value: &str) -> bool {
    match selecting {
        Selecting::DefaultSuffix => value != "s3cr3t-notes",
        Selecting::EncryptedSuffix => value == "s3cr3t-token",
        Selecting::EncryptedRegex | Selecting::MacOnlyEncrypted => ["s3cr3t-pass", "s3cr3t-deep"].contains(&value),
        Selecting::UnencryptedRegex => value != "s3cr3t-name",
        Selecting::EncryptedCommentRegex => value == "s3cr3t-hidden",
        // JSON has nothing that could except a value.
        Selecting::UnencryptedCommentRegex => file == FileType::Json || value != "s3cr3t-shown",
    }
}

fn target(file: FileType, selecting: Selecting) -> Leaf {
    let password = Leaf {
        value: "s3cr3t-pass",
        path: if file == FileType::Dotenv { &["data_password"] } else { &["data", "password"] },
    };
    let (hidden, token): (&'static [_], &'static [_]) = if file == FileType::Ini {
        (&["two", "hidden"], &["one", "token_secret"])
    } else {
        (&["hidden"], &["token_secret"])
    };
    match selecting {
        Selecting::DefaultSuffix | Selecting::EncryptedSuffix => Leaf { value: "s3cr3t-token", path: token },
        Selecting::EncryptedRegex | Selecting::UnencryptedRegex | Selecting::MacOnlyEncrypted => password,
        Selecting::EncryptedCommentRegex | Selecting::UnencryptedCommentRegex => {
            Leaf { value: "s3cr3t-hidden", path: hidden }
        }
    }
}
