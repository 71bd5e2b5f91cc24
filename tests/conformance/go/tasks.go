// Asynchronous invocations in task mode: duplicates, stop, retries, the failure destination.

package main

import (
	"encoding/json"
	"slices"

	fc "github.com/aliyun/fc-go-sdk"
)

func submit(client *fc.Client, taskID, payload string) (*fc.InvokeFunctionOutput, error) {
	return client.InvokeFunction(fc.NewInvokeFunctionInput(service, function).
		WithStatefulAsyncInvocationID(taskID).WithPayload([]byte(payload)))
}

func getTask(client *fc.Client, name, taskID string) *fc.GetStatefulAsyncInvocationOutput {
	return must(client.GetStatefulAsyncInvocation(fc.NewGetStatefulAsyncInvocationInput(service, name, taskID)))
}

func isFinal(task *fc.GetStatefulAsyncInvocationOutput) bool {
	return slices.Contains([]string{"Succeeded", "Failed", "Stopped", "Expired", "Invalid"}, text(task.Status))
}

func waitFinal(client *fc.Client, taskID string) *fc.GetStatefulAsyncInvocationOutput {
	return waitFor("task "+taskID+" ends", func() (*fc.GetStatefulAsyncInvocationOutput, bool) {
		task := getTask(client, function, taskID)
		return task, isFinal(task)
	})
}

func runTasks(client *fc.Client) {
	duplicate(client)
	stopRunning(client)
	failsAlways(client)
}

func duplicate(client *fc.Client) {
	must(submit(client, "twice", "first"))
	_, err := submit(client, "twice", "second")
	refused("the same task ID again", 409, "StatefulAsyncInvocationAlreadyExists", err, "twice")
	task := waitFinal(client, "twice")
	equal("the first submission ran", []any{text(task.Status), text(task.InvocationPayload)},
		[]any{"Succeeded", "first"})
}

func stopRunning(client *fc.Client) {
	must(submit(client, "stopped-late", `{"do":"sleep","seconds":45}`))
	waitFor("the task runs", func() (string, bool) {
		status := text(getTask(client, function, "stopped-late").Status)
		return status, status == "Running"
	})
	stop := fc.NewStopStatefulAsyncInvocationInput(service, function, "stopped-late").WithQualifier("LATEST")
	must(client.StopStatefulAsyncInvocation(stop))
	status := text(getTask(client, function, "stopped-late").Status)
	check("stop of a running task: Stopping, then Stopped", status == "Stopping" || status == "Stopped", status)
	equal("stop of a running task: ends as Stopped", text(waitFinal(client, "stopped-late").Status), "Stopped")
	equal("after a stop the function still answers", string(invoke(client, "a").Payload), "a")
}

func failsAlways(client *fc.Client) {
	accepted := must(submit(client, "fails-always", `{"do":"fail"}`))
	task := waitFinal(client, "fails-always")
	equal("a task that always fails",
		[]any{text(task.Status), number(task.AlreadyRetriedTimes), text(task.InvocationErrorMessage)},
		[]any{"Failed", int64(retries), "UnhandledInvocationError"})
	record := failureRecord(client, accepted.GetRequestID())
	equal("failure destination: what happened",
		[]any{record.RequestContext.Condition, record.RequestContext.ApproximateInvokeCount, record.RequestPayload},
		[]any{"UnhandledInvocationError", 1 + retries, `{"do":"fail"}`})
}

// destinationRecord is what a destination function is invoked with (fc-api 5).
type destinationRecord struct {
	RequestContext struct {
		RequestID              string `json:"requestId"`
		Condition              string `json:"condition"`
		ApproximateInvokeCount int    `json:"approximateInvokeCount"`
	} `json:"requestContext"`
	RequestPayload string `json:"requestPayload"`
}

// failureRecord waits for the record about one request among the tasks of the destination function.
func failureRecord(client *fc.Client, requestID string) destinationRecord {
	return waitFor("the failure destination is invoked", func() (record destinationRecord, found bool) {
		page := must(client.ListStatefulAsyncInvocations(
			fc.NewListStatefulAsyncInvocationsInput(service, sink).WithIncludePayload(true)))
		for _, task := range page.Invocations {
			must(struct{}{}, json.Unmarshal([]byte(text(task.InvocationPayload)), &record))
			if record.RequestContext.RequestID == requestID {
				return record, true
			}
		}
		return record, false
	})
}
