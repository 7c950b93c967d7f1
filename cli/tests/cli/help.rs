//! Help texts, completions, and the shape of the command line.

use insta::assert_snapshot;

use crate::common::Sandbox;

fn help(command: &str) -> String {
    let sandbox = Sandbox::new();
    sandbox.sealwax(command.split_whitespace().chain(["--help"])).run().ok()
}

#[test]
fn of_the_command_itself() {
    assert_snapshot!(help(""), @"
    Keep secrets in Git: encrypt the secret values of YAML and JSON files, and only those

    Usage: sealwax <COMMAND>

    Commands:
      keygen       Make a private key and print its public half, the recipient
      encrypt      Encrypt the selected values of files, in place; everything else stays byte for byte
                   as it is
      decrypt      Print files with their values opened, exactly as they were before they were encrypted
      edit         Open a file's values in your editor and seal what you changed
      get          Print one value, exactly, without a line break added
      set          Seal a value and write it at a path; no private key is needed
      unset        Take a value with its key out of a file; no private key is needed
      seal         Turn a Secret into an EncryptedSecret for Git; no private key is needed
      import       Read values from Vault or AWS, with your own credentials, and write them as
                   EncryptedSecrets for Git
      render       Print the Secret that the controller would make of an EncryptedSecret: recovery
                   without a cluster
      rebind       Seal a file's values for another place: after a rename, a move, or a change of scope
      copy         Copy a file and seal its values for the copy's own place and readers
      rekey        Make the readers of files match the policy
      verify       Open every value of files and folders and say how many there are; prints no value
      check        The gate: is everything that must be encrypted encrypted, completely, to the right
                   readers, for the right place?
      inspect      Show, without any key, where a file's values are sealed for, what is in it, and who
                   its named readers are
      recipients   Public keys of clusters
      keys         Keys of clusters: make, list, rotate, retire, back up, restore
      completions  Print a completion script for a shell

    Options:
      -h, --help     Print help
      -V, --version  Print version

    Examples:
      sealwax keygen                                   make your key; share the line it prints
      sealwax seal secret.yaml -o db.yaml              turn a Secret into an EncryptedSecret for Git
      sealwax edit db.yaml                             edit the values in your editor
      sealwax set db.yaml password                     replace one value; needs no private key
      sealwax encrypt values.yaml --to age1… --select '**.password'

    Exit codes: 0 done, 1 refused or failed, 2 wrong usage or policy, 3 an input could not be read.
    ");
}

#[test]
fn every_command_teaches_by_example() {
    for command in
        "encrypt decrypt edit get set unset seal import render rebind copy rekey verify inspect completions".split(' ')
    {
        assert!(help(command).contains("xample"), "{command}");
    }
}

#[test]
fn of_keygen() {
    assert_snapshot!(help("keygen"), @"
    Make a private key and print its public half, the recipient

    The key goes to ~/.config/sealwax/identity.txt, where every command finds it, or to the file that -o
    names, readable by you only. An existing file is never overwritten. It is an ordinary age identity
    file.

    Usage: sealwax keygen [OPTIONS]

    Options:
          --pq
              Make a post-quantum key (ML-KEM-768 with X25519); its recipient has 2,000 characters

      -o, --output <FILE>
              Where to write the private key

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn of_encrypt() {
    assert_snapshot!(help("encrypt"), @"
    Encrypt the selected values of files, in place; everything else stays byte for byte as it is

    Which values, and for whom, comes from the policy (.sealwax.toml) or from --select and --to. Values
    that are
    encrypted already stay as they are. No private key is needed.

    Examples:
      sealwax encrypt clusters/prod/*.yaml
      sealwax encrypt values.yaml --to age1… --select '**.password' --context 'helm values of payments'

    Usage: sealwax encrypt [OPTIONS] <FILE>...

    Arguments:
      <FILE>...
              The files; - for standard input, which goes to standard output

    Options:
          --stdout
              Print the result instead of replacing the file

          --path <FILE>
              Where standard input would be in the repository, to find its rule

          --to <RECIPIENT>
              Encrypt for this recipient: age1…, ssh-…, NAME=RECIPIENT, or a .pub file (repeatable;
              instead of the policy's)

          --select <PATTERN>
              Encrypt the values that this pattern matches, such as 'data.*' or '**.password'
              (repeatable)

          --context <TEXT>
              For files that are no Kubernetes objects: a text that keeps their values from opening in
              other files

          --scope <SCOPE>
              Where values open: only in this object, in any object of its namespace, or anywhere in the
              cluster
              
              [possible values: strict, namespace, cluster]

          --for <NAMESPACE/NAME>
              Where values open, as NAMESPACE/NAME with * for any characters, such as 'preview-*/db'

          --namespace <NAMESPACE>
              The namespace, where the manifest does not say

          --name <NAME>
              The name, where the manifest does not say

      -i, --identity <FILE>
              File with your private key: age, post-quantum age, SSH, or an age plugin's (repeatable)

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn of_decrypt() {
    assert_snapshot!(help("decrypt"), @"
    Print files with their values opened, exactly as they were before they were encrypted

    Nothing is printed of a file of which one value does not open.

    Examples:
      sealwax decrypt secret.yaml | kubectl apply -f -
      sealwax decrypt --in-place --force values.yaml

    Usage: sealwax decrypt [OPTIONS] <FILE>...

    Arguments:
      <FILE>...
              The files; - for standard input

    Options:
          --in-place
              Replace the file by its plain form

          --force
              Write plaintext even into a Git work tree

      -i, --identity <FILE>
              File with your private key: age, post-quantum age, SSH, or an age plugin's (repeatable)

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn of_edit() {
    assert_snapshot!(help("edit"), @"
    Open a file's values in your editor and seal what you changed

    The plain text lies in a private temporary file outside the repository while the editor runs
    ($VISUAL or $EDITOR, else vi). Values that you leave alone keep their ciphertext, so the diff shows
    only what you changed.

    Example: EDITOR='code --wait' sealwax edit db.yaml

    Usage: sealwax edit [OPTIONS] <FILE>

    Arguments:
      <FILE>
              The file

    Options:
          --to <RECIPIENT>
              Encrypt for this recipient: age1…, ssh-…, NAME=RECIPIENT, or a .pub file (repeatable;
              instead of the policy's)

          --select <PATTERN>
              Encrypt the values that this pattern matches, such as 'data.*' or '**.password'
              (repeatable)

          --context <TEXT>
              For files that are no Kubernetes objects: a text that keeps their values from opening in
              other files

          --scope <SCOPE>
              Where values open: only in this object, in any object of its namespace, or anywhere in the
              cluster
              
              [possible values: strict, namespace, cluster]

          --for <NAMESPACE/NAME>
              Where values open, as NAMESPACE/NAME with * for any characters, such as 'preview-*/db'

          --namespace <NAMESPACE>
              The namespace, where the manifest does not say

          --name <NAME>
              The name, where the manifest does not say

      -i, --identity <FILE>
              File with your private key: age, post-quantum age, SSH, or an age plugin's (repeatable)

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn of_get() {
    assert_snapshot!(help("get"), @r#"
    Print one value, exactly, without a line break added

    On a terminal, control characters are escaped. Items of a Secret's data are printed decoded.

    Examples:
      sealwax get db.yaml password
      sealwax get all.yaml --doc Secret/db 'data."tls.key"' > tls.key

    Usage: sealwax get [OPTIONS] <FILE> <PATH>

    Arguments:
      <FILE>
              The file; - for standard input

      <PATH>
              Path of the value, or its end where that is unambiguous

    Options:
          --doc <N|KIND/NAME>
              Which document of the file: its number from 1, or Kind/name

      -i, --identity <FILE>
              File with your private key: age, post-quantum age, SSH, or an age plugin's (repeatable)

      -h, --help
              Print help (see a summary with '-h')
    "#);
}

#[test]
fn of_set() {
    assert_snapshot!(help("set"), @r#"
    Seal a value and write it at a path; no private key is needed

    The value comes from standard input (which loses one final line break, and says so), a hidden
    prompt, a file,
    an environment variable, or chance; never from an argument, which other users could see. A lone key
    that does not
    exist yet goes where the object keeps its items.

    Examples:
      sealwax set db.yaml password                      asks for it
      printf %s hunter2 | sealwax set db.yaml password
      sealwax set db.yaml password --generate 32
      sealwax set tls.yaml 'data."tls.key"' --value-file tls.key

    Usage: sealwax set [OPTIONS] <FILE> <PATH>...

    Arguments:
      <FILE>
              The file

      <PATH>...
              Paths of the values, or their ends where those are unambiguous

    Options:
          --value-file <FILE>
              Take the value from this file, exactly

          --from-env <NAME>
              Take the value from this environment variable

          --generate <LENGTH>
              Make up a value of this many letters and digits, a different one for each path

          --keep-newline
              Keep the final line break of standard input

          --doc <N|KIND/NAME>
              Which document of the file: its number from 1, or Kind/name

          --to <RECIPIENT>
              Encrypt for this recipient: age1…, ssh-…, NAME=RECIPIENT, or a .pub file (repeatable;
              instead of the policy's)

          --select <PATTERN>
              Encrypt the values that this pattern matches, such as 'data.*' or '**.password'
              (repeatable)

          --context <TEXT>
              For files that are no Kubernetes objects: a text that keeps their values from opening in
              other files

          --scope <SCOPE>
              Where values open: only in this object, in any object of its namespace, or anywhere in the
              cluster
              
              [possible values: strict, namespace, cluster]

          --for <NAMESPACE/NAME>
              Where values open, as NAMESPACE/NAME with * for any characters, such as 'preview-*/db'

          --namespace <NAMESPACE>
              The namespace, where the manifest does not say

          --name <NAME>
              The name, where the manifest does not say

      -h, --help
              Print help (see a summary with '-h')
    "#);
}

#[test]
fn of_unset() {
    assert_snapshot!(help("unset"), @"
    Take a value with its key out of a file; no private key is needed

    Example: sealwax unset db.yaml old-password

    Usage: sealwax unset [OPTIONS] <FILE> <PATH>

    Arguments:
      <FILE>
              The file

      <PATH>
              Path of the value, or its end where that is unambiguous

    Options:
          --doc <N|KIND/NAME>
              Which document of the file: its number from 1, or Kind/name

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn of_seal() {
    assert_snapshot!(help("seal"), @r"
    Turn a Secret into an EncryptedSecret for Git; no private key is needed

    Comments and layout stay; data is decoded, so that you can edit it later.

    Examples:
      kubectl create secret generic db -n prod --from-literal=user=admin --dry-run=client -o yaml \
        | sealwax seal --path clusters/prod/db.yaml -o clusters/prod/db.yaml
      sealwax seal --namespace prod --name tls --from-file tls.key=key.pem -o tls.yaml
      sealwax seal secret.yaml --into db.yaml            adds its items to an EncryptedSecret
      sealwax seal --raw --namespace prod --name db --item password < password.txt

    Usage: sealwax seal [OPTIONS] [FILE]

    Arguments:
      [FILE]
              The Secret; standard input if absent or -

    Options:
          --from-file <ITEM=FILE>
              Take an item from a file instead of a manifest (repeatable)

      -o, --output <FILE>
              Where to write the EncryptedSecret; standard output if absent

          --into <FILE>
              Add the items to this EncryptedSecret

          --raw
              Print one token for --item, of standard input, for a template that builds the
              EncryptedSecret

          --item <ITEM>
              The item that --raw is for

          --path <FILE>
              Where the result will be in the repository, to find its rule

          --to <RECIPIENT>
              Encrypt for this recipient: age1…, ssh-…, NAME=RECIPIENT, or a .pub file (repeatable;
              instead of the policy's)

          --select <PATTERN>
              Encrypt the values that this pattern matches, such as 'data.*' or '**.password'
              (repeatable)

          --context <TEXT>
              For files that are no Kubernetes objects: a text that keeps their values from opening in
              other files

          --scope <SCOPE>
              Where values open: only in this object, in any object of its namespace, or anywhere in the
              cluster
              
              [possible values: strict, namespace, cluster]

          --for <NAMESPACE/NAME>
              Where values open, as NAMESPACE/NAME with * for any characters, such as 'preview-*/db'

          --namespace <NAMESPACE>
              The namespace, where the manifest does not say

          --name <NAME>
              The name, where the manifest does not say

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn of_import() {
    assert_snapshot!(help("import"), @"
    Read values from Vault or AWS, with your own credentials, and write them as EncryptedSecrets for Git

    FILEs hold ExternalSecrets and their stores, of sealwax or of External Secrets Operator. Each
    ExternalSecret becomes an EncryptedSecret that makes the same Secret. All are written, or none.

    How a store says to log in is not used. Vault is read as `vault` would: by `VAULT_ADDR`,
    `VAULT_TOKEN` or what `vault login` left, `VAULT_NAMESPACE`, `VAULT_CACERT`; AWS as `aws` would.

    Examples:
      sealwax import externalsecret.yaml store.yaml -o clusters/prod/db.yaml --dry-run
      kubectl get externalsecrets,secretstores -n prod -o yaml | sealwax import - -o prod.yaml
      sealwax import --from vault:secret/prod/db --namespace prod --name db -o db.yaml
      sealwax import --from password=aws-parameter:/prod/db -o db.yaml --namespace prod --name db

    Usage: sealwax import [OPTIONS] [FILE]...

    Arguments:
      [FILE]...
              Manifests with ExternalSecrets and their stores; - for standard input

    Options:
          --from <[ITEM=]SOURCE:KEY[#PROPERTY]>
              Read this, without a manifest: SOURCE is vault, vault-v1, aws-secret or aws-parameter
              (repeatable)

      -o, --output <FILE>
              Where to write the EncryptedSecrets; standard output if absent

          --force
              Replace the output if it exists

          --dry-run
              Read, say what would be written, and write nothing

          --path <FILE>
              Where the result will be in the repository, to find its rule

          --to <RECIPIENT>
              Encrypt for this recipient: age1…, ssh-…, NAME=RECIPIENT, or a .pub file (repeatable;
              instead of the policy's)

          --select <PATTERN>
              Encrypt the values that this pattern matches, such as 'data.*' or '**.password'
              (repeatable)

          --context <TEXT>
              For files that are no Kubernetes objects: a text that keeps their values from opening in
              other files

          --scope <SCOPE>
              Where values open: only in this object, in any object of its namespace, or anywhere in the
              cluster
              
              [possible values: strict, namespace, cluster]

          --for <NAMESPACE/NAME>
              Where values open, as NAMESPACE/NAME with * for any characters, such as 'preview-*/db'

          --namespace <NAMESPACE>
              The namespace, where the manifest does not say

          --name <NAME>
              The name, where the manifest does not say

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn of_render() {
    assert_snapshot!(help("render"), @"
    Print the Secret that the controller would make of an EncryptedSecret: recovery without a cluster

    Example: sealwax render db.yaml --identity backup.txt | kubectl apply -f -

    Usage: sealwax render [OPTIONS] <FILE>

    Arguments:
      <FILE>
              The file; - for standard input

    Options:
          --doc <N|KIND/NAME>
              Which document of the file: its number from 1, or Kind/name

      -i, --identity <FILE>
              File with your private key: age, post-quantum age, SSH, or an age plugin's (repeatable)

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn of_rebind() {
    assert_snapshot!(help("rebind"), @"
    Seal a file's values for another place: after a rename, a move, or a change of scope

    The new place is what policy, command line and manifest say now. You must be able to read the
    values; they are encrypted again under a new key.

    Example: sealwax rebind db.yaml --scope namespace

    Usage: sealwax rebind [OPTIONS] <FILE>

    Arguments:
      <FILE>
              The file

    Options:
          --to <RECIPIENT>
              Encrypt for this recipient: age1…, ssh-…, NAME=RECIPIENT, or a .pub file (repeatable;
              instead of the policy's)

          --select <PATTERN>
              Encrypt the values that this pattern matches, such as 'data.*' or '**.password'
              (repeatable)

          --context <TEXT>
              For files that are no Kubernetes objects: a text that keeps their values from opening in
              other files

          --scope <SCOPE>
              Where values open: only in this object, in any object of its namespace, or anywhere in the
              cluster
              
              [possible values: strict, namespace, cluster]

          --for <NAMESPACE/NAME>
              Where values open, as NAMESPACE/NAME with * for any characters, such as 'preview-*/db'

          --namespace <NAMESPACE>
              The namespace, where the manifest does not say

          --name <NAME>
              The name, where the manifest does not say

      -i, --identity <FILE>
              File with your private key: age, post-quantum age, SSH, or an age plugin's (repeatable)

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn of_copy() {
    assert_snapshot!(help("copy"), @"
    Copy a file and seal its values for the copy's own place and readers

    --namespace and --name are written into the copy's metadata. You must be able to read the values.

    Example: sealwax copy prod/db.yaml staging/db.yaml --namespace staging

    Usage: sealwax copy [OPTIONS] <SOURCE> <DESTINATION>

    Arguments:
      <SOURCE>
              The file to copy

      <DESTINATION>
              The copy, which must not exist yet

    Options:
          --to <RECIPIENT>
              Encrypt for this recipient: age1…, ssh-…, NAME=RECIPIENT, or a .pub file (repeatable;
              instead of the policy's)

          --select <PATTERN>
              Encrypt the values that this pattern matches, such as 'data.*' or '**.password'
              (repeatable)

          --context <TEXT>
              For files that are no Kubernetes objects: a text that keeps their values from opening in
              other files

          --scope <SCOPE>
              Where values open: only in this object, in any object of its namespace, or anywhere in the
              cluster
              
              [possible values: strict, namespace, cluster]

          --for <NAMESPACE/NAME>
              Where values open, as NAMESPACE/NAME with * for any characters, such as 'preview-*/db'

          --namespace <NAMESPACE>
              The namespace, where the manifest does not say

          --name <NAME>
              The name, where the manifest does not say

      -i, --identity <FILE>
              File with your private key: age, post-quantum age, SSH, or an age plugin's (repeatable)

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn of_rekey() {
    assert_snapshot!(help("rekey"), @"
    Make the readers of files match the policy

    Added readers get a wrap of the keys that are there; values are not touched. If a reader is removed,
    every value is encrypted again under a new key, and the values that he has been able to read are
    listed: change those at their origin. A reader of the same name with a newer key is replaced
    quietly. You must be able to read the values.

    Example: sealwax rekey clusters/prod/*.yaml

    Usage: sealwax rekey [OPTIONS] <FILE>...

    Arguments:
      <FILE>...
              The files

    Options:
          --fold
              Encrypt everything again under one new key, also where no reader was removed: makes files
              smaller

          --to <RECIPIENT>
              Encrypt for this recipient: age1…, ssh-…, NAME=RECIPIENT, or a .pub file (repeatable;
              instead of the policy's)

          --select <PATTERN>
              Encrypt the values that this pattern matches, such as 'data.*' or '**.password'
              (repeatable)

          --context <TEXT>
              For files that are no Kubernetes objects: a text that keeps their values from opening in
              other files

          --scope <SCOPE>
              Where values open: only in this object, in any object of its namespace, or anywhere in the
              cluster
              
              [possible values: strict, namespace, cluster]

          --for <NAMESPACE/NAME>
              Where values open, as NAMESPACE/NAME with * for any characters, such as 'preview-*/db'

          --namespace <NAMESPACE>
              The namespace, where the manifest does not say

          --name <NAME>
              The name, where the manifest does not say

      -i, --identity <FILE>
              File with your private key: age, post-quantum age, SSH, or an age plugin's (repeatable)

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn of_verify() {
    assert_snapshot!(help("verify"), @"
    Open every value of files and folders and say how many there are; prints no value

    Folders are searched for .yaml, .yml and .json files; files without encrypted values are passed over
    there.

    Example: sealwax verify .

    Usage: sealwax verify [OPTIONS] <PATH>...

    Arguments:
      <PATH>...
              Files and folders

    Options:
      -i, --identity <FILE>
              File with your private key: age, post-quantum age, SSH, or an age plugin's (repeatable)

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn of_inspect() {
    assert_snapshot!(help("inspect"), @"
    Show, without any key, where a file's values are sealed for, what is in it, and who its named
    readers are

    Readers are what the file says; only opening a wrap proves one.

    Example: sealwax inspect db.yaml --format json

    Usage: sealwax inspect [OPTIONS] <FILE>...

    Arguments:
      <FILE>...
              The files; - for standard input

    Options:
          --format <FORMAT>
              How to show it
              
              [default: text]
              [possible values: text, json]

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn of_recipients_fetch() {
    assert_snapshot!(help("recipients fetch"), @"
    Fetch a cluster's public key through kubeconfig

    Reads the ConfigMap sealwax-recipients beside the controller, as the API server gives it to you.
    Write the key to a file that the policy names, and commit it: everyone who seals uses that file and
    needs no access to the cluster.

    The first fetch pins the cluster's signing key in that file. A later one replaces the file only if
    the pinned key endorses what the cluster publishes by then, and the cluster has the name that the
    file has.

    Example: sealwax recipients fetch --context prod -o keys/prod.pub

    Usage: sealwax recipients fetch [OPTIONS]

    Options:
          --context <NAME>
              Context of the kubeconfig

          --namespace <NAMESPACE>
              Namespace of the controller
              
              [default: sealwax-system]

      -o, --output <FILE>
              Where to write it; standard output if absent

          --accept-new-signing-key
              Take what another signing key than the pinned one endorses

          --accept-new-name
              Replace the file of a cluster that had another name

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn of_completions() {
    assert_snapshot!(help("completions"), @"
    Print a completion script for a shell

    Example: sealwax completions bash > ~/.local/share/bash-completion/completions/sealwax

    Usage: sealwax completions <SHELL>

    Arguments:
      <SHELL>
              [possible values: bash, elvish, fish, powershell, zsh]

    Options:
      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn completions_for_bash() {
    let sandbox = Sandbox::new();
    let script = sandbox.sealwax(["completions", "bash"]).run().ok();
    for command in ["keygen", "encrypt", "recipients", "--select"] {
        assert!(script.contains(command), "{command}");
    }
    let mut bash = sandbox.command("bash");
    let output = bash.args(["-n", "-c", &script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let sandbox = Sandbox::new();
    assert_snapshot!(sandbox.sealwax(["encrypt"]).run(), @"
    exit 2
    err: error: the following required arguments were not provided:
    err:   <FILE>...
    err: 
    err: Usage: sealwax encrypt <FILE>...
    err: 
    err: For more information, try '--help'.
    ");
    assert_snapshot!(sandbox.sealwax(["decrypt", "--force", "x.yaml"]).run(), @"
    exit 2
    err: error: the following required arguments were not provided:
    err:   --in-place
    err: 
    err: Usage: sealwax decrypt --in-place --force <FILE>...
    err: 
    err: For more information, try '--help'.
    ");
    assert_snapshot!(sandbox.sealwax(["no-such-command"]).run(), @"
    exit 2
    err: error: unrecognized subcommand 'no-such-command'
    err: 
    err: Usage: sealwax <COMMAND>
    err: 
    err: For more information, try '--help'.
    ");
}

#[test]
fn colour_on_demand_never_reaches_a_pipe() {
    let sandbox = Sandbox::new();
    // `Outcome` refuses escape sequences in any message.
    let outcome = sandbox.sealwax(["encrypt", "missing.yaml"]).env("TERM", "xterm-256color").run();
    assert_eq!(outcome.code, Some(3), "{outcome}");
}
