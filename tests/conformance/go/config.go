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
	putResources(client)
	tooMany := int64(9)
	_, err := put(client, function, fc.AsyncConfig{MaxAsyncRetryAttempts: &tooMany})
	refused("put configuration with 9 retries", 400, "InvalidArgument", err, "maxAsyncRetryAttempts")
}

// resources have something that stands for them in the settings of the server under test.
var resources = []string{
	"acs:mns:::/queues/results/messages",
	"acs:mns:::/topics/results/messages",
	"acs:eventbridge:::eventbus/results",
	"acs:mq:::/instances/MQ_INST_1/topics/results",
}

func putResources(client *fc.Client) {
	putFailure := func(resource string) (*fc.PutFunctionAsyncInvokeConfigOutput, error) {
		return put(client, sink, fc.AsyncConfig{
			DestinationConfig: &fc.DestinationConfig{OnFailure: &fc.Destination{Destination: &resource}},
		})
	}
	for _, resource := range resources {
		must(putFailure(resource))
		read := must(client.GetFunctionAsyncInvokeConfig(fc.NewGetFunctionAsyncInvokeConfigInput(service, sink)))
		equal("put configuration with "+resource, text(read.DestinationConfig.OnFailure.Destination), resource)
	}
	_, err := putFailure("acs:mns:::/queues/elsewhere/messages")
	refused("put configuration with a queue that nothing stands for", 400, "InvalidArgument", err, "[[destinations]]")
	cleared := must(putFailure(""))
	check("put configuration without a destination again", cleared.DestinationConfig.OnFailure == nil, cleared)
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
