// The oracle: SOPS's own packages behind lines of JSON, one request and one answer each, so that thousands of files
// are tried against it by one process.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"log"
	"os"

	"github.com/getsops/sops/v3/logging"
	"github.com/sirupsen/logrus"
)

// Request is one case. Bytes are base64, as Go's JSON has them.
type Request struct {
	// What is to be done: see the operations below.
	Op string `json:"op"`
	// The file type, by the names of SOPS's command line.
	Format string `json:"format"`
	// Of a plain file that is printed as another type; the same type if empty.
	Output string `json:"output"`
	Data   []byte `json:"data"`
	// The data key of 32 bytes, so that no identity is needed.
	Key []byte `json:"key"`
	// An age identity that opens the file's wraps.
	Identity string `json:"identity"`
	// An age recipient that the data key is wrapped for.
	Recipient string `json:"recipient"`
	// A selector by its field, as the metadata have it.
	Selector         string `json:"selector"`
	Value            string `json:"value"`
	MacOnlyEncrypted bool   `json:"mac_only_encrypted"`
	// For an edit: the path of a value, and what it becomes.
	Path []any `json:"path"`
	New  any   `json:"new"`
}

// Answer says what came of it.
type Answer struct {
	OK    bool   `json:"ok"`
	Data  []byte `json:"data,omitempty"`
	MacOK bool   `json:"mac_ok"`
	// What the tree holds in the clear, in the order of SOPS's walk.
	Leaves []Leaf `json:"leaves,omitempty"`
	Error  string `json:"error,omitempty"`
}

// Leaf is a value or a comment as SOPS sees it.
type Leaf struct {
	Document int      `json:"document"`
	Path     []string `json:"path"`
	Type     string   `json:"type"`
	Data     []byte   `json:"data"`
}

// sources is set when the program is built: a name for what these files held.
var sources string

func main() {
	if len(os.Args) > 1 {
		log.Fatalf("this program (%s) takes no arguments; it reads lines of JSON", sources)
	}
	logging.SetLevel(logrus.PanicLevel)
	in, out := bufio.NewReader(os.Stdin), bufio.NewWriter(os.Stdout)
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			log.Fatal(err)
		}
		answer, err := json.Marshal(serve(line))
		if err != nil {
			log.Fatal(err)
		}
		if _, err := out.Write(append(answer, '\n')); err != nil {
			log.Fatal(err)
		}
		if err := out.Flush(); err != nil {
			log.Fatal(err)
		}
	}
}

// serve does what one line asks for. SOPS panics on some files: that is an answer too.
func serve(line []byte) (answer Answer) {
	defer func() {
		if recover() != nil {
			answer = Answer{Error: "SOPS panicked"}
		}
	}()
	var request Request
	if err := json.Unmarshal(line, &request); err != nil {
		return Answer{Error: err.Error()}
	}
	operation, known := operations[request.Op]
	if !known {
		return Answer{Error: "no such operation: " + request.Op}
	}
	answer, err := operation(request)
	if err != nil {
		answer.OK, answer.Error = false, err.Error()
	}
	return answer
}
