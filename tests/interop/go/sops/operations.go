// What the oracle can be asked for, done as SOPS's commands do it.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/getsops/sops/v3"
	"github.com/getsops/sops/v3/aes"
	"github.com/getsops/sops/v3/age"
	"github.com/getsops/sops/v3/cmd/sops/common"
	"github.com/getsops/sops/v3/cmd/sops/formats"
	"github.com/getsops/sops/v3/config"
	"github.com/getsops/sops/v3/decrypt"
	"github.com/getsops/sops/v3/version"
)

var operations = map[string]func(Request) (Answer, error){
	"load":    load,
	"encrypt": encrypt,
	"decrypt": decryptTree,
	"edit":    edit,
	"flux":    flux,
}

func store(name string) common.Store {
	return common.StoreForFormat(formats.FormatFromString(name), config.NewStoresConfig())
}

// load says what SOPS sees in a plain file.
func load(request Request) (Answer, error) {
	branches, err := store(request.Format).LoadPlainFile(request.Data)
	if err != nil {
		return Answer{}, err
	}
	leaves, err := leaves(branches)
	return Answer{OK: err == nil, Leaves: leaves}, err
}

// encrypt makes a file of a plain one.
func encrypt(request Request) (Answer, error) {
	from := store(request.Format)
	branches, err := from.LoadPlainFile(request.Data)
	if err != nil {
		return Answer{}, err
	}
	if len(branches) < 1 {
		return Answer{}, errors.New("file cannot be completely empty, it must contain at least one document")
	}
	for _, branch := range branches {
		if from.HasSopsTopLevelKey(branch) {
			return Answer{}, errors.New("already encrypted")
		}
	}
	metadata, err := metadata(request)
	if err != nil {
		return Answer{}, err
	}
	tree := sops.Tree{Branches: branches, Metadata: metadata}
	return emit(request, &tree, aes.NewCipher())
}

func metadata(request Request) (sops.Metadata, error) {
	metadata := sops.Metadata{MACOnlyEncrypted: request.MacOnlyEncrypted, Version: version.Version, DataKey: request.Key}
	fields := map[string]*string{
		"":                          new(string),
		"unencrypted_suffix":        &metadata.UnencryptedSuffix,
		"encrypted_suffix":          &metadata.EncryptedSuffix,
		"unencrypted_regex":         &metadata.UnencryptedRegex,
		"encrypted_regex":           &metadata.EncryptedRegex,
		"unencrypted_comment_regex": &metadata.UnencryptedCommentRegex,
		"encrypted_comment_regex":   &metadata.EncryptedCommentRegex,
	}
	field, known := fields[request.Selector]
	if !known {
		return metadata, fmt.Errorf("no such selector: %s", request.Selector)
	}
	*field = request.Value
	if request.Selector == "" {
		metadata.UnencryptedSuffix = sops.DefaultUnencryptedSuffix
	}
	if request.Recipient == "" {
		key := &age.MasterKey{Recipient: "none", EncryptedKey: "none"}
		metadata.KeyGroups = []sops.KeyGroup{{key}}
		return metadata, nil
	}
	key, err := age.MasterKeyFromRecipient(request.Recipient)
	if err != nil {
		return metadata, err
	}
	metadata.KeyGroups = []sops.KeyGroup{{key}}
	return metadata, errors.Join(metadata.UpdateMasterKeys(request.Key)...)
}

// emit encrypts a tree and prints it.
func emit(request Request, tree *sops.Tree, cipher sops.Cipher) (Answer, error) {
	key := request.Key
	if tree.Metadata.DataKey != nil {
		key = tree.Metadata.DataKey
	}
	mac, err := tree.Encrypt(key, cipher)
	if err != nil {
		return Answer{}, err
	}
	tree.Metadata.LastModified = time.Now().UTC()
	aad := tree.Metadata.LastModified.Format(time.RFC3339)
	tree.Metadata.MessageAuthenticationCode, err = cipher.Encrypt(mac, key, aad)
	if err != nil {
		return Answer{}, err
	}
	data, err := store(request.Format).EmitEncryptedFile(*tree)
	return Answer{OK: err == nil, Data: data, MacOK: true}, err
}

// open reads an encrypted file and says whether its checksum holds.
func open(request Request, cipher sops.Cipher) (sops.Tree, bool, error) {
	tree, err := store(request.Format).LoadEncryptedFile(request.Data)
	if err != nil {
		return tree, false, err
	}
	key := request.Key
	if len(key) == 0 {
		if err := os.Setenv(age.SopsAgeKeyEnv, request.Identity); err != nil {
			return tree, false, err
		}
		if key, err = tree.Metadata.GetDataKey(); err != nil {
			return tree, false, err
		}
	}
	tree.Metadata.DataKey = key
	computed, err := tree.Decrypt(key, cipher)
	if err != nil {
		return tree, false, err
	}
	aad := tree.Metadata.LastModified.Format(time.RFC3339)
	stated, err := cipher.Decrypt(tree.Metadata.MessageAuthenticationCode, key, aad)
	return tree, err == nil && stated == computed, nil
}

// decryptTree opens a file and prints it plain, as another type if that is asked for.
func decryptTree(request Request) (Answer, error) {
	tree, macOK, err := open(request, aes.NewCipher())
	if err != nil {
		return Answer{}, err
	}
	leaves, err := leaves(tree.Branches)
	if err != nil {
		return Answer{}, err
	}
	output := request.Output
	if output == "" {
		output = request.Format
	}
	data, err := store(output).EmitPlainFile(tree.Branches)
	return Answer{OK: err == nil, Data: data, MacOK: macOK, Leaves: leaves}, err
}

// edit sets one value of a file.
func edit(request Request) (Answer, error) {
	cipher := aes.NewCipher()
	tree, macOK, err := open(request, cipher)
	if err != nil {
		return Answer{}, err
	}
	if !macOK {
		return Answer{}, errors.New("the checksum does not hold")
	}
	path := make([]any, 0, len(request.Path))
	for _, step := range request.Path {
		if position, number := step.(float64); number {
			step = int(position)
		}
		path = append(path, step)
	}
	tree.Branches[0], _ = tree.Branches[0].Set(path, request.New)
	return emit(request, &tree, cipher)
}

// flux does what Flux's kustomize-controller does with a file: it looks for the bytes that mark one of SOPS, and
// leaves others alone without a word; and it opens it by SOPS's library.
func flux(request Request) (Answer, error) {
	markers := map[string]string{
		"yaml": "mac: ENC[", "json": "\"mac\": \"ENC[", "binary": "\"mac\": \"ENC[", "dotenv": "sops_mac=ENC[", "ini": "[sops]",
	}
	if !bytes.Contains(request.Data, []byte(markers[request.Format])) {
		return Answer{}, errors.New("no marker: Flux would take the file for a plain one")
	}
	if err := os.Setenv(age.SopsAgeKeyEnv, request.Identity); err != nil {
		return Answer{}, err
	}
	data, err := decrypt.DataWithFormat(request.Data, formats.FormatFromString(request.Format))
	return Answer{OK: err == nil, Data: data, MacOK: err == nil}, err
}
