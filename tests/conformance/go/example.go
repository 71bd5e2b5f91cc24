// The documented example of a deferred asynchronous invocation, step by step: a client of version 2016-08-15, an invoke
// input with a payload, asynchronous, and the header x-fc-async-delay.

package main

import (
	"time"

	fc "github.com/aliyun/fc-go-sdk"
)

const taskIDHeader = "X-Fc-Stateful-Async-Invocation-Id"

func documentedExample(client *fc.Client) {
	enableTaskMode(client)

	// 200 seconds, as documented: accepted, and waiting until it is stopped.
	invokeInput := fc.NewInvokeFunctionInput(service, function).WithPayload([]byte(`{"n":200}`))
	invokeInput.WithAsyncInvocation()
	invokeInput.WithHeader("x-fc-async-delay", "200")
	invokeOutput := must(client.InvokeFunction(invokeInput))
	equal("deferred by 200 s: empty body", len(invokeOutput.Payload), 0)
	taskID := invokeOutput.Header.Get(taskIDHeader)
	equal("deferred by 200 s: the task ID is the request ID", taskID, invokeOutput.GetRequestID())
	task := getTask(client, function, taskID)
	equal("deferred by 200 s: Enqueued", text(task.Status), "Enqueued")
	check("deferred by 200 s: has not ended", number(task.EndTime) <= 0, task)
	must(client.StopStatefulAsyncInvocation(fc.NewStopStatefulAsyncInvocationInput(service, function, taskID)))
	equal("deferred by 200 s: Stopped", text(waitFinal(client, taskID).Status), "Stopped")

	// 1 second: executed.
	before := time.Now()
	invokeInput = fc.NewInvokeFunctionInput(service, function).WithPayload([]byte(`{"n":1}`)).WithAsyncInvocation().
		WithHeader("x-fc-async-delay", "1").WithStatefulAsyncInvocationID("deferred-1")
	invokeOutput = must(client.InvokeFunction(invokeInput))
	equal("deferred by 1 s: repeats the task ID", invokeOutput.Header.Get(taskIDHeader), "deferred-1")
	task = waitFor("the deferred task ends", func() (*fc.GetStatefulAsyncInvocationOutput, bool) {
		seen := getTask(client, function, "deferred-1")
		if time.Since(before) < time.Second && text(seen.Status) != "Enqueued" {
			fail("a deferred task is Enqueued until it is due", seen)
		}
		return seen, isFinal(seen)
	})
	equal("deferred by 1 s: Succeeded", text(task.Status), "Succeeded")
	check("deferred by 1 s: ended no earlier than that", number(task.EndTime)-number(task.StartedTime) >= 1000, task)
	equal("deferred by 1 s: its fields",
		[]any{text(task.ServiceName), text(task.FunctionName), text(task.Qualifier), text(task.InvocationID),
			text(task.RequestID), text(task.InvocationPayload), number(task.AlreadyRetriedTimes)},
		[]any{service, function, "LATEST", "deferred-1", invokeOutput.GetRequestID(), `{"n":1}`, int64(0)})
}

func enableTaskMode(client *fc.Client) {
	stateful := true
	must(client.PutFunctionAsyncInvokeConfig(fc.NewPutFunctionAsyncInvokeConfigInput(service, function).
		WithAsyncConfig(fc.AsyncConfig{StatefulInvocation: &stateful})))
}
