// What every section uses: checks that print, refusals, bounded waits. The first wrong thing ends the program.

package main

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"time"

	fc "github.com/aliyun/fc-go-sdk"
)

const (
	lookInterval = 20 * time.Millisecond
	waitMax      = 30 * time.Second
)

func fail(what string, seen any) {
	fmt.Printf("not ok - %s\n  saw: %+v\n", what, seen)
	os.Exit(1)
}

func check(what string, holds bool, seen any) {
	if !holds {
		fail(what, seen)
	}
	fmt.Println("ok - " + what)
}

func equal(what string, seen, wanted any) {
	if !reflect.DeepEqual(seen, wanted) {
		fail(fmt.Sprintf("%s\n  wanted: %+v", what, wanted), fmt.Sprintf("%+v", seen))
	}
	fmt.Println("ok - " + what)
}

// must ends the program when a call that has to succeed was refused.
func must[T any](answer T, err error) T {
	if err != nil {
		fail("a call that must succeed was refused", err)
	}
	return answer
}

// refused checks that err is the service's refusal with this status and code, with a request ID and a message that
// names what is wrong.
func refused(what string, status int, code string, err error, mentions string) {
	var refusal *fc.ServiceError
	if !errors.As(err, &refusal) {
		fail(fmt.Sprintf("%s: must be refused with %d %s", what, status, code), err)
	}
	if refusal.RequestID == "" {
		fail(what+": the refusal has a request ID", refusal)
	}
	if !strings.Contains(strings.ToLower(refusal.ErrorMessage), strings.ToLower(mentions)) {
		fail(fmt.Sprintf("%s: the message mentions %s", what, mentions), refusal)
	}
	equal(fmt.Sprintf("%s: %d %s", what, status, code), [2]any{refusal.HTTPStatus, refusal.ErrorCode},
		[2]any{status, code})
}

// waitFor calls look until it says that it is content, and returns what it saw then.
func waitFor[T any](what string, look func() (T, bool)) T {
	deadline := time.After(waitMax)
	ticks := time.NewTicker(lookInterval)
	defer ticks.Stop()
	for {
		seen, content := look()
		if content {
			return seen
		}
		select {
		case <-ticks.C:
		case <-deadline:
			fail(fmt.Sprintf("%s within %s", what, waitMax), seen)
		}
	}
}

// text is what a pointer of the library points to, or the empty string.
func text(value *string) string {
	if value == nil {
		return ""
	}
	return *value
}

// number is what a pointer of the library points to, or -1.
func number[T int32 | int64](value *T) int64 {
	if value == nil {
		return -1
	}
	return int64(*value)
}
