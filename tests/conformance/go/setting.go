// The client, the names and the package that the sections share.

package main

import (
	"archive/zip"
	"bytes"
	"os"

	fc "github.com/aliyun/fc-go-sdk"
)

const (
	service  = "conformance-go"
	function = "worker"
	sink     = "sink"
	codeFile = "../functions/python/index.py"
)

var (
	endpoint        = os.Getenv("BIDE_ENDPOINT")
	accountID       = os.Getenv("BIDE_ACCOUNT_ID")
	accessKeyID     = os.Getenv("BIDE_ACCESS_KEY_ID")
	accessKeySecret = os.Getenv("BIDE_ACCESS_KEY_SECRET")
)

// newClient makes a client without an account ID: the library then sends the header empty, and signs it so.
func newClient(keyID, secret string) *fc.Client {
	return must(fc.NewClient(endpoint, "2016-08-15", keyID, secret))
}

// packageZip is a zip file with the function's code.
func packageZip() []byte {
	return zipOf(string(must(os.ReadFile(codeFile))))
}

// zipOf is a zip file with index.py of this content.
func zipOf(content string) []byte {
	return zipWith("index.py", content)
}

// zipWith is a zip file with one file.
func zipWith(name, content string) []byte {
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	must(must(archive.Create(name)).Write([]byte(content)))
	must(struct{}{}, archive.Close())
	return out.Bytes()
}
