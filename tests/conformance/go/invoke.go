// Synchronous invocations: results, errors, logs.

package main

import (
	"encoding/json"
	"strings"

	fc "github.com/aliyun/fc-go-sdk"
)

func invokeAll(client *fc.Client) {
	echo(client)
	logs(client)
	failures(client)
	newCode(client)
}

func invoke(client *fc.Client, payload string) *fc.InvokeFunctionOutput {
	return must(client.InvokeFunction(fc.NewInvokeFunctionInput(service, function).WithPayload([]byte(payload))))
}

func echo(client *fc.Client) {
	answer := invoke(client, `{"n":1}`)
	equal("invoke: returns the result", string(answer.Payload), `{"n":1}`)
	equal("invoke: no error", answer.GetErrorType(), "")
	for _, name := range []string{"X-Fc-Request-Id", "X-Fc-Invocation-Duration", "X-Fc-Max-Memory-Usage",
		"X-Fc-Instance-Id", "X-Fc-Code-Checksum"} {
		check("invoke: answers with "+name, answer.Header.Get(name) != "", answer.Header)
	}
	equal("invoke: no event at all", len(invoke(client, "").Payload), 0)
	qualified := must(client.InvokeFunction(fc.NewInvokeFunctionInput(service, function).WithQualifier("LATEST").
		WithPayload([]byte("a"))))
	equal("invoke: with a qualifier", string(qualified.Payload), "a")
	described := invoke(client, `{"do":"describe"}`)
	var context map[string]any
	must(struct{}{}, json.Unmarshal(described.Payload, &context))
	equal("context: says who runs what", []any{context["requestId"], context["accountId"], context["service"]},
		[]any{described.GetRequestID(), accountID, service})
}

func logs(client *fc.Client) {
	answer := must(client.InvokeFunction(fc.NewInvokeFunctionInput(service, function).WithLogType("Tail").
		WithPayload([]byte(`{"do":"log","line":"a line of the log"}`))))
	tail := must(answer.GetLogResult())
	check("log tail: has what was printed", strings.Contains(tail, "a line of the log"), tail)
}

// failedWith is the error that the function's run ended with; to this library a failed run is no error.
func failedWith(what string, answer *fc.InvokeFunctionOutput) (message string) {
	equal(what+": the type of error", answer.GetErrorType(), "UnhandledInvocationError")
	var body struct {
		ErrorMessage string `json:"errorMessage"`
	}
	must(struct{}{}, json.Unmarshal(answer.Payload, &body))
	return body.ErrorMessage
}

func failures(client *fc.Client) {
	equal("a function that raises: its message",
		failedWith("a function that raises", invoke(client, `{"do":"fail"}`)), "told to fail, retry 0")
	message := failedWith("a function whose process ends", invoke(client, `{"do":"exit"}`))
	check("a function whose process ends: says so",
		strings.Contains(strings.ToLower(message), "process exited unexpectedly"), message)
	equal("after all that, the function still answers", string(invoke(client, "a").Payload), "a")
}

// newCode deploys other code and sees it run, then puts the first code back.
func newCode(client *fc.Client) {
	update := func(code *fc.Code) {
		must(client.UpdateFunction(fc.NewUpdateFunctionInput(service, function).WithCode(code)))
	}
	update(fc.NewCode().WithZipFile(zipOf("def handler(event, context):\n    return 'new code'\n")))
	equal("update function: the next call runs the new code", string(invoke(client, "a").Payload), "new code")
	update(fc.NewCode().WithZipFile(packageZip()))
	equal("update function: and the old code again", string(invoke(client, "a").Payload), "a")
}
