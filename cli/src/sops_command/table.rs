//! The flags of SOPS, and which command has which.

use super::flags::{Flag, Flags};

/// Which key services are used. Ours is the local one.
const SERVICES: &[Flag] = &[
    Flag::on(&["enable-local-keyservice"], "use the keys of this machine").or("SOPS_ENABLE_LOCAL_KEYSERVICE"),
    Flag::list(&["keyservice"], "not supported: another process that holds keys").or("SOPS_KEYSERVICE"),
];

const IN_PLACE: &[Flag] = &[Flag::switch(&["in-place", "i"], "write the result over the file")];
const OUTPUT: &[Flag] = &[Flag::text(&["output"], "write the result to this file")];
const INPUT_TYPE: &[Flag] =
    &[Flag::text(&["input-type"], "what the file is: yaml, json, dotenv, ini or binary; else its name says")];
const OUTPUT_TYPE: &[Flag] = &[Flag::text(
    &["output-type"],
    "what the result is: yaml, json, dotenv, ini or binary; else as the file's name says",
)];
const FILENAME: &[Flag] =
    &[Flag::text(&["filename-override"], "find rules and types by this name instead of the file's")];
const ORDER: &[Flag] = &[Flag::text(&["decryption-order"], "kinds of keys that are tried first, with commas between")
    .or("SOPS_DECRYPTION_ORDER")];
const IGNORE_MAC: &[Flag] = &[Flag::switch(&["ignore-mac"], "open the file even if its checksum does not fit")];
const IDEMPOTENT: &[Flag] = &[Flag::switch(&["idempotent"], "leave the file alone if there is nothing to change")];
const EXTRACT: &[Flag] = &[Flag::text(&["extract"], "print what is at this path, such as '[\"a\"][0]'")];
const SHOW_KEYS: &[Flag] = &[Flag::switch(&["show-master-keys", "s"], "show the keys of the file in the editor")];
const CONTEXT: &[Flag] = &[Flag::text(&["encryption-context"], "context for AWS KMS: name:value, with commas between")];
const PROFILE: &[Flag] = &[Flag::text(&["aws-profile"], "the profile of AWS's tools to use")];
const THRESHOLD: &[Flag] =
    &[Flag::number(&["shamir-secret-sharing-threshold"], "how many key groups are needed to open the file")];
const BACKGROUND: &[Flag] = &[Flag::switch(&["background"], "do not wait for the command")];
const USER: &[Flag] = &[Flag::text(&["user"], "run the command as this user")];
const YES: &[Flag] = &[Flag::switch(&["yes", "y"], "do not ask")];
const GROUP_FILE: &[Flag] = &[Flag::text(&["file", "f"], "the file")];

/// Keys that a file is encrypted for.
const KEYS: &[Flag] = &[
    Flag::text(&["kms", "k"], "ARNs of keys of AWS KMS").or("SOPS_KMS_ARN"),
    Flag::text(&["gcp-kms"], "resource ids of keys of GCP KMS").or("SOPS_GCP_KMS_IDS"),
    Flag::text(&["hckms"], "keys of Huawei Cloud KMS").or("SOPS_HUAWEICLOUD_KMS_IDS"),
    Flag::text(&["azure-kv"], "URLs of keys of Azure Key Vault").or("SOPS_AZURE_KEYVAULT_URLS"),
    Flag::text(&["hc-vault-transit"], "URIs of keys of Vault's transit engine").or("SOPS_VAULT_URIS"),
    Flag::text(&["pgp", "p"], "fingerprints of PGP keys").or("SOPS_PGP_FP"),
    Flag::text(&["age", "a"], "age recipients").or("SOPS_AGE_RECIPIENTS"),
];

/// The same, each behind a flag of its own.
const GROUP_KEYS: &[Flag] = &[
    Flag::list(&["kms"], "the ARN of a key of AWS KMS"),
    Flag::list(&["gcp-kms"], "the resource id of a key of GCP KMS"),
    Flag::list(&["hckms"], "a key of Huawei Cloud KMS"),
    Flag::list(&["azure-kv"], "the URL of a key of Azure Key Vault"),
    Flag::list(&["hc-vault-transit"], "the URI of a key of Vault's transit engine"),
    Flag::list(&["pgp"], "the fingerprint of a PGP key"),
    Flag::list(&["age"], "an age recipient"),
];

/// Keys that come and go with `rotate`.
const CHANGED_KEYS: &[Flag] = &[
    Flag::text(&["add-kms"], "add keys of AWS KMS"),
    Flag::text(&["rm-kms"], "remove keys of AWS KMS"),
    Flag::text(&["add-gcp-kms"], "add keys of GCP KMS"),
    Flag::text(&["rm-gcp-kms"], "remove keys of GCP KMS"),
    Flag::text(&["add-hckms"], "add keys of Huawei Cloud KMS"),
    Flag::text(&["rm-hckms"], "remove keys of Huawei Cloud KMS"),
    Flag::text(&["add-azure-kv"], "add keys of Azure Key Vault"),
    Flag::text(&["rm-azure-kv"], "remove keys of Azure Key Vault"),
    Flag::text(&["add-hc-vault-transit"], "add keys of Vault's transit engine"),
    Flag::text(&["rm-hc-vault-transit"], "remove keys of Vault's transit engine"),
    Flag::text(&["add-pgp"], "add PGP keys"),
    Flag::text(&["rm-pgp"], "remove PGP keys"),
    Flag::text(&["add-age"], "add age recipients"),
    Flag::text(&["rm-age"], "remove age recipients"),
];

/// Which values are encrypted.
const SELECTORS: &[Flag] = &[
    Flag::text(&["unencrypted-suffix"], "leave values under names that end so in the clear"),
    Flag::text(&["encrypted-suffix"], "encrypt only values under names that end so"),
    Flag::text(&["unencrypted-regex"], "leave values under names that match in the clear"),
    Flag::text(&["encrypted-regex"], "encrypt only values under names that match"),
    Flag::text(&["unencrypted-comment-regex"], "leave values below comments that match in the clear"),
    Flag::text(&["encrypted-comment-regex"], "encrypt only values below comments that match"),
];

const MODES: &[Flag] = &[
    Flag::switch(&["decrypt", "d"], "decrypt a file, and print the result"),
    Flag::switch(&["encrypt", "e"], "encrypt a file, and print the result"),
    Flag::switch(&["rotate", "r"], "encrypt a file under a new data key, and print the result"),
    Flag::text(&["set"], "put a value into a file: '[\"a\"][0] JSON'"),
];

/// Says more, of what scripts look for.
pub(super) const VERBOSE: &str = "verbose";

/// What commands take from the words before their name.
pub(super) const GLOBAL: &[Flag] = &[
    Flag::text(&["config"], "the configuration to use instead of the .sops.yaml above the file").or("SOPS_CONFIG"),
    Flag::switch(&["mac-only-encrypted"], "have only encrypted values in the checksum"),
    Flag::number(&["indent"], "has no effect: files keep their layout"),
    Flag::switch(&[VERBOSE], "say when the data key was found"),
    Flag::switch(&["disable-version-check"], "has no effect: no version is looked up").or("SOPS_DISABLE_VERSION_CHECK"),
    Flag::switch(&["check-for-updates"], "has no effect: no version is looked up"),
    Flag::switch(&["version", "v"], "print the version"),
];

/// What stands before a command, or does the work of one.
pub(super) const ROOT: Flags = &[
    MODES,
    GLOBAL,
    KEYS,
    PROFILE,
    IN_PLACE,
    EXTRACT,
    INPUT_TYPE,
    OUTPUT_TYPE,
    SHOW_KEYS,
    CHANGED_KEYS,
    IGNORE_MAC,
    SELECTORS,
    CONTEXT,
    THRESHOLD,
    OUTPUT,
    FILENAME,
    ORDER,
    SERVICES,
];

pub(super) const ENCRYPT: Flags =
    &[IN_PLACE, OUTPUT, KEYS, PROFILE, INPUT_TYPE, OUTPUT_TYPE, SELECTORS, CONTEXT, THRESHOLD, FILENAME, SERVICES];
pub(super) const DECRYPT: Flags =
    &[IN_PLACE, EXTRACT, OUTPUT, INPUT_TYPE, OUTPUT_TYPE, IGNORE_MAC, FILENAME, ORDER, SERVICES];
pub(super) const EDIT: Flags =
    &[KEYS, PROFILE, INPUT_TYPE, OUTPUT_TYPE, SELECTORS, CONTEXT, THRESHOLD, SHOW_KEYS, IGNORE_MAC, ORDER, SERVICES];
pub(super) const SET: Flags = &[
    INPUT_TYPE,
    OUTPUT_TYPE,
    &[
        Flag::switch(&["value-file"], "the value is in a file, of which the name is given"),
        Flag::switch(&["value-stdin"], "the value comes from standard input"),
    ],
    THRESHOLD,
    IGNORE_MAC,
    ORDER,
    IDEMPOTENT,
    SERVICES,
];
pub(super) const UNSET: Flags = &[INPUT_TYPE, OUTPUT_TYPE, THRESHOLD, IGNORE_MAC, ORDER, IDEMPOTENT, SERVICES];
pub(super) const ROTATE: Flags =
    &[IN_PLACE, OUTPUT, INPUT_TYPE, OUTPUT_TYPE, CONTEXT, CHANGED_KEYS, FILENAME, ORDER, SERVICES];
pub(super) const UPDATE_KEYS: Flags = &[YES, INPUT_TYPE, SERVICES];
pub(super) const GROUPS_ADD: Flags = &[GROUP_FILE, GROUP_KEYS, PROFILE, IN_PLACE, THRESHOLD, CONTEXT, SERVICES];
pub(super) const GROUPS_DELETE: Flags = &[GROUP_FILE, IN_PLACE, THRESHOLD, SERVICES];
pub(super) const EXEC_ENV: Flags = &[
    BACKGROUND,
    &[Flag::switch(&["pristine"], "give the command these variables and no others")],
    USER,
    &[Flag::switch(&["same-process"], "become the command instead of waiting for it")],
    ORDER,
    SERVICES,
];
pub(super) const EXEC_FILE: Flags = &[
    BACKGROUND,
    &[
        Flag::switch(&["no-fifo"], "an ordinary file instead of one that can be read once"),
        Flag::text(&["filename"], "the name of the file that the command gets"),
    ],
    USER,
    INPUT_TYPE,
    OUTPUT_TYPE,
    ORDER,
    SERVICES,
];
pub(super) const FILESTATUS: Flags = &[INPUT_TYPE];
pub(super) const NONE: Flags = &[];
/// What commands take that only say that they are not there.
pub(super) const UNSUPPORTED: Flags = &[
    YES,
    &[
        Flag::switch(&["recursive"], ""),
        Flag::switch(&["omit-extensions"], ""),
        Flag::switch(&["prompt"], ""),
        Flag::switch(&["verbose"], ""),
        Flag::text(&["network", "net"], ""),
        Flag::text(&["address", "addr"], ""),
    ],
    ORDER,
    SERVICES,
];
