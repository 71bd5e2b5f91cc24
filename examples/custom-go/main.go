// A custom runtime in Go: an HTTP server that counts words.
//
// The platform calls it on the port in FC_SERVER_PORT and says by X-Fc-Control-Path what it wants:
// /initialize once per instance, /invoke for an event, /http-invoke for a caller's HTTP request,
// /pre-stop before the instance ends.
//
//	CGO_ENABLED=0 go build -o package/bootstrap main.go
package main

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
)

type answer struct {
	Words     int    `json:"words"`
	RequestID string `json:"requestId"`
	Attempt   string `json:"attempt"`
}

func main() {
	server := &http.Server{Addr: "0.0.0.0:" + os.Getenv("FC_SERVER_PORT"), Handler: http.HandlerFunc(serve)}
	log.Fatal(server.ListenAndServe())
}

func serve(w http.ResponseWriter, r *http.Request) {
	switch r.Header.Get("X-Fc-Control-Path") {
	case "/initialize", "/pre-stop", "/pre-freeze":
		log.Printf("%s", r.Header.Get("X-Fc-Control-Path"))
	case "/http-invoke":
		serveHTTPCall(w, r)
	default:
		serveEvent(w, r)
	}
}

// An event fails by status 404 and the header that says so; an asynchronous one is then tried again.
func serveEvent(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err != nil || len(text) == 0 {
		w.Header().Set("X-Fc-Status", "404")
		w.WriteHeader(http.StatusNotFound)
		json.NewEncoder(w).Encode(map[string]string{"errorMessage": "the event is empty", "errorType": "EmptyEvent"})
		return
	}
	writeCount(w, r, string(text))
}

// A caller's request comes as it was sent, and the response goes back as it is written.
func serveHTTPCall(w http.ResponseWriter, r *http.Request) {
	text := r.URL.Query().Get("text")
	if text == "" {
		http.Error(w, "say ?text=some+words", http.StatusBadRequest)
		return
	}
	writeCount(w, r, text)
}

func writeCount(w http.ResponseWriter, r *http.Request, text string) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(answer{
		Words:     len(strings.Fields(text)),
		RequestID: r.Header.Get("X-Fc-Request-Id"),
		Attempt:   r.Header.Get("X-Fc-Retry-Count"),
	})
}
