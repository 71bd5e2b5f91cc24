// Bad input: each a clear error with the documented code, and the server goes on.

package main

import (
	"strings"

	fc "github.com/aliyun/fc-go-sdk"
)

const asyncBytesMax = 131072

func refuseAll(client *fc.Client) {
	refuseTargets(client)
	refuseSubmissions(client)
	_, err := newClient(accessKeyID, "wrong").GetService(fc.NewGetServiceInput(service))
	refused("a wrong secret", 403, "SignatureNotMatch", err, "")
	_, err = newClient("nobody", "wrong").GetService(fc.NewGetServiceInput(service))
	refused("an unknown key", 403, "InvalidAccessKeyID", err, "nobody")
	equal("after all that, the server goes on", string(invoke(client, "a").Payload), "a")
}

func refuseTargets(client *fc.Client) {
	_, err := client.GetService(fc.NewGetServiceInput("no-such-service"))
	refused("get an unknown service", 404, "ServiceNotFound", err, "no-such-service")
	_, err = client.GetFunction(fc.NewGetFunctionInput(service, "no-such-function"))
	refused("get an unknown function", 404, "FunctionNotFound", err, "no-such-function")
	_, err = client.InvokeFunction(fc.NewInvokeFunctionInput(service, "no-such-function").WithAsyncInvocation())
	refused("invoke an unknown function", 404, "FunctionNotFound", err, "no-such-function")
	_, err = client.InvokeFunction(fc.NewInvokeFunctionInput(service, function).WithQualifier("nobody"))
	refused("invoke an unknown alias", 404, "AliasNotFound", err, "nobody")
	_, err = client.GetStatefulAsyncInvocation(fc.NewGetStatefulAsyncInvocationInput(service, function, "no-such-task"))
	refused("get an unknown task", 404, "StatefulAsyncInvocationNotFound", err, "no-such-task")
	_, err = client.StopStatefulAsyncInvocation(
		fc.NewStopStatefulAsyncInvocationInput(service, function, "no-such-task"))
	refused("stop an unknown task", 404, "StatefulAsyncInvocationNotFound", err, "no-such-task")
	_, err = client.CreateFunction(fc.NewCreateFunctionInput(service).WithFunctionName("broken").WithRuntime("python3").
		WithHandler("index.handler").WithCode(fc.NewCode().WithZipFile([]byte("this is no zip file"))))
	refused("a package that is no zip", 400, "InvalidArgument", err, "zip")
}

func refuseSubmissions(client *fc.Client) {
	for _, delay := range []string{"-1", "3601", "1.5", "x"} {
		_, err := client.InvokeFunction(fc.NewInvokeFunctionInput(service, function).WithAsyncInvocation().
			WithHeader("x-fc-async-delay", delay))
		refused("a delay of "+delay, 400, "InvalidArgument", err, "x-fc-async-delay")
	}
	for _, taskID := range []string{"1digit", "-hyphen", "dot.ted", strings.Repeat("a", 129)} {
		_, err := submit(client, taskID, "")
		refused("the task ID "+taskID[:6], 400, "InvalidArgument", err, "x-fc-stateful-async-invocation-id")
	}
	must(submit(client, "largest-event", strings.Repeat("x", asyncBytesMax)))
	task := waitFinal(client, "largest-event")
	equal("an async event of 131072 bytes runs", []any{text(task.Status), len(text(task.InvocationPayload))},
		[]any{"Succeeded", asyncBytesMax})
	_, err := submit(client, "too-large-event", strings.Repeat("x", asyncBytesMax+1))
	refused("an async event of 131073 bytes", 400, "EntityTooLarge", err, "131072")
}
