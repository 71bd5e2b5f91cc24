// How a function is run: its settings, layers, instances that are kept ready, the cap of the others.

package main

import (
	fc "github.com/aliyun/fc-go-sdk"
)

func scaleAll(client *fc.Client) {
	arn := publishLayer(client)
	withSettings(client, arn)
	provision(client)
	onDemand(client)
}

func publishLayer(client *fc.Client) string {
	layer := must(client.PublishLayerVersion(fc.NewPublishLayerVersionInput().WithLayerName("words").
		WithCompatibleRuntime([]string{"python3"}).WithCode(fc.NewCode().WithZipFile(zipWith("python/words.py", "WORD = 'of a layer'\n")))))
	equal("publish layer: answers with it", []any{layer.LayerName, layer.Version, layer.CompatibleRuntime},
		[]any{"words", int32(1), []string{"python3"}})
	equal("get layer version", must(client.GetLayerVersion(fc.NewGetLayerVersionInput("words", 1))).Arn, layer.Arn)
	byArn := must(client.GetLayerVersionByArn(fc.NewGetLayerVersionByArnInput(layer.Arn)))
	equal("get layer version by its resource name", byArn.Version, int32(1))
	listed := must(client.ListLayers(fc.NewListLayersInput().WithPrefix("words")))
	equal("list layers", len(listed.Layers), 1)
	versions := must(client.ListLayerVersions(fc.NewListLayerVersionsInput("words", 1)))
	equal("list layer versions", len(versions.Layers), 1)
	return layer.Arn
}

func withSettings(client *fc.Client, arn string) {
	code := zipWith("index.py", "import words\nready = []\ndef initialize(context):\n    ready.append(words.WORD)\n"+
		"def handler(event, context):\n    return ready[0]\n")
	made := must(client.CreateFunction(fc.NewCreateFunctionInput(service).WithFunctionName("settings").
		WithRuntime("python3").WithHandler("index.handler").WithInitializer("index.initialize").
		WithInitializationTimeout(20).WithInstanceConcurrency(5).WithInstanceType("e1").WithLayers([]string{arn}).
		WithCode(fc.NewCode().WithZipFile(code))))
	equal("create function: initializer and concurrency",
		[]any{text(made.Initializer), number(made.InitializationTimeout), number(made.InstanceConcurrency)},
		[]any{"index.initialize", int64(20), int64(5)})
	answer := must(client.InvokeFunction(fc.NewInvokeFunctionInput(service, "settings")))
	equal("the initializer ran, and found the layer", string(answer.Payload), "of a layer")
	must(client.DeleteLayerVersion(fc.NewDeleteLayerVersionInput("words", 1)))
	_, err := client.GetLayerVersion(fc.NewGetLayerVersionInput("words", 1))
	refused("get the deleted only version of a layer", 404, "LayerNotFound", err, "words")
	must(client.DeleteFunction(fc.NewDeleteFunctionInput(service, "settings")))
}

func provision(client *fc.Client) {
	get := fc.NewGetProvisionConfigInput(service, "LATEST", function)
	_, err := client.GetProvisionConfig(get)
	refused("get a provision config that was never put", 404, "ProvisionConfigNotFound", err, "")
	put := must(client.PutProvisionConfig(fc.NewPutProvisionConfigInput(service, "LATEST", function).WithTarget(1)))
	equal("put provision config", number(put.Target), int64(1))
	waitFor("an instance", func() (int64, bool) {
		current := number(must(client.GetProvisionConfig(get)).Current)
		return current, current == 1
	})
	listed := must(client.ListProvisionConfigs(
		fc.NewListProvisionConfigsInput().WithServiceName(service).WithQualifier("LATEST")))
	equal("list provision configs", len(listed.ProvisionConfigs), 1)
	instances := must(client.ListInstances(fc.NewListInstancesInput(service, function).WithQualifier("LATEST")))
	check("list instances", len(instances.Instances) > 0 && instances.Instances[0].InstanceID != "", instances)
	must(client.PutProvisionConfig(fc.NewPutProvisionConfigInput(service, "LATEST", function).WithTarget(0)))
	_, err = client.GetProvisionConfig(get)
	refused("put provision config: target 0 takes it away", 404, "ProvisionConfigNotFound", err, "")
}

func onDemand(client *fc.Client) {
	get := fc.NewGetOnDemandConfigInput(service, "LATEST", function)
	_, err := client.GetOnDemandConfig(get)
	refused("get an on-demand config that was never put", 404, "OnDemandConfigNotFound", err, "")
	must(client.PutOnDemandConfig(
		fc.NewPutOnDemandConfigInput(service, "LATEST", function).WithMaximumInstanceCount(0)))
	_, err = client.InvokeFunction(fc.NewInvokeFunctionInput(service, function).WithPayload([]byte("a")))
	refused("no instance is allowed", 429, "ResourceExhausted", err, "")
	must(client.PutOnDemandConfig(
		fc.NewPutOnDemandConfigInput(service, "LATEST", function).WithMaximumInstanceCount(2)))
	equal("get on-demand config", number(must(client.GetOnDemandConfig(get)).MaximumInstanceCount), int64(2))
	listed := must(client.ListOnDemandConfigs(fc.NewListOnDemandConfigsInput().WithPrefix("services/" + service)))
	equal("list on-demand configs", len(listed.Configs), 1)
	equal("an instance is allowed", string(invoke(client, "a").Payload), "a")
	must(client.DeleteOnDemandConfig(fc.NewDeleteOnDemandConfigInput(service, "LATEST", function)))
	_, err = client.GetOnDemandConfig(get)
	refused("get a deleted on-demand config", 404, "OnDemandConfigNotFound", err, "")
}
