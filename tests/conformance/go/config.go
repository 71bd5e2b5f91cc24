// Asynchronous invocation configurations: put, get, list, delete.

package main

import (
	"fmt"

	fc "github.com/aliyun/fc-go-sdk"
)

const retries = 1

// configure sends all four fields, the unset ones as null: the library cannot do otherwise.
func configure(client *fc.Client) {
	stateful, attempts := true, int64(retries)
	arn := fmt.Sprintf("acs:fc:local:%s:services/%s/functions/%s", accountID, service, sink)
	made := must(put(client, function, fc.AsyncConfig{
		MaxAsyncRetryAttempts: &attempts,
		DestinationConfig:     &fc.DestinationConfig{OnFailure: &fc.Destination{Destination: &arn}},
	}))
	equal("put configuration: null leaves a field as it was", made.StatefulInvocation, &stateful)
	equal("put configuration: answers with it",
		[]any{text(made.Service), text(made.Function), text(made.Qualifier), number(made.MaxAsyncRetryAttempts)},
		[]any{service, function, "LATEST", int64(retries)})
	read := must(client.GetFunctionAsyncInvokeConfig(
		fc.NewGetFunctionAsyncInvokeConfigInput(service, function).WithQualifier("LATEST")))
	equal("get configuration: its destination", text(read.DestinationConfig.OnFailure.Destination), arn)
	check("get configuration: its times", text(read.CreatedTime) != "" && text(read.LastModifiedTime) != "", read)
	listed := must(client.ListFunctionAsyncInvokeConfigs(
		fc.NewListFunctionAsyncInvokeConfigsInput(service, function).WithLimit(10)))
	equal("list configurations", len(listed.Configs), 1)
	must(put(client, sink, fc.AsyncConfig{StatefulInvocation: &stateful}))
	tooMany := int64(9)
	_, err := put(client, function, fc.AsyncConfig{MaxAsyncRetryAttempts: &tooMany})
	refused("put configuration with 9 retries", 400, "InvalidArgument", err, "maxAsyncRetryAttempts")
}

func put(client *fc.Client, name string, config fc.AsyncConfig) (*fc.PutFunctionAsyncInvokeConfigOutput, error) {
	return client.PutFunctionAsyncInvokeConfig(
		fc.NewPutFunctionAsyncInvokeConfigInput(service, name).WithAsyncConfig(config))
}

func removeConfig(client *fc.Client) {
	must(client.DeleteFunctionAsyncInvokeConfig(fc.NewDeleteFunctionAsyncInvokeConfigInput(service, function)))
	_, err := client.GetFunctionAsyncInvokeConfig(fc.NewGetFunctionAsyncInvokeConfigInput(service, function))
	refused("get a deleted configuration", 404, "AsyncConfigNotExists", err, "")
}
