// age-plugin-sealwaxtest is an age plugin with a stanza type of its own over X25519, made with age's plugin framework.
// `age-plugin-sealwaxtest keygen` prints an identity file.
package main

import (
	"errors"
	"fmt"
	"os"

	"filippo.io/age"
	"filippo.io/age/plugin"
)

const name = "sealwaxtest"

type recipient struct{ inner *age.X25519Recipient }

func (r recipient) Wrap(fileKey []byte) ([]*age.Stanza, error) {
	stanzas, err := r.inner.Wrap(fileKey)
	for _, stanza := range stanzas {
		stanza.Type = name
	}
	return stanzas, err
}

type identity struct{ inner *age.X25519Identity }

func (i identity) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	for _, stanza := range stanzas {
		if stanza.Type != name {
			continue
		}
		fileKey, err := i.inner.Unwrap([]*age.Stanza{{Type: "X25519", Args: stanza.Args, Body: stanza.Body}})
		if !errors.Is(err, age.ErrIncorrectIdentity) {
			return fileKey, err
		}
	}
	return nil, age.ErrIncorrectIdentity
}

func keygen() error {
	key, err := age.GenerateX25519Identity()
	if err != nil {
		return err
	}
	fmt.Printf("# public key: %s\n", plugin.EncodeRecipient(name, []byte(key.Recipient().String())))
	fmt.Println(plugin.EncodeIdentity(name, []byte(key.String())))
	return nil
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "keygen" {
		if err := keygen(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	p, err := plugin.New(name)
	if err != nil {
		panic(err)
	}
	p.HandleRecipient(func(data []byte) (age.Recipient, error) {
		inner, err := age.ParseX25519Recipient(string(data))
		return recipient{inner}, err
	})
	p.HandleIdentity(func(data []byte) (age.Identity, error) {
		inner, err := age.ParseX25519Identity(string(data))
		return identity{inner}, err
	})
	os.Exit(p.Main())
}
