// Versions and aliases: publish, list, delete, weights, and calls and tasks that name them.

package main

import (
	"encoding/json"

	fc "github.com/aliyun/fc-go-sdk"
)

func versionAll(client *fc.Client) {
	publish(client)
	nameVersions(client)
	callAlias(client)
	removeVersions(client)
}

// publish sends "Description" with a capital letter: the library does.
func publish(client *fc.Client) {
	before := must(client.GetFunction(fc.NewGetFunctionInput(service, function)))
	first := must(client.PublishServiceVersion(fc.NewPublishServiceVersionInput(service).WithDescription("first")))
	equal("publish: answers with the version", []string{text(first.VersionID), text(first.Description)},
		[]string{"1", "first"})
	must(client.UpdateFunction(fc.NewUpdateFunctionInput(service, function).WithDescription("after version 1")))
	_, err := client.PublishServiceVersion(fc.NewPublishServiceVersionInput(service).WithIfMatch("another"))
	refused("publish with an old ETag", 412, "PreconditionFailed", err, "")
	second := must(client.PublishServiceVersion(fc.NewPublishServiceVersionInput(service)))
	equal("publish again: the next number", text(second.VersionID), "2")
	description := func(version string) string {
		found := must(client.GetFunction(fc.NewGetFunctionInput(service, function).WithQualifier(version)))
		return text(found.Description)
	}
	equal("get function: of a version, as it was published", []string{description("1"), description("2")},
		[]string{text(before.Description), "after version 1"})
	list := func(input *fc.ListServiceVersionsInput) (ids []string, token *string) {
		page := must(client.ListServiceVersions(input))
		for _, version := range page.Versions {
			ids = append(ids, text(version.VersionID))
		}
		return ids, page.NextToken
	}
	ids, token := list(fc.NewListServiceVersionsInput(service).WithLimit(1))
	equal("list versions: the newest first", ids, []string{"2"})
	ids, _ = list(fc.NewListServiceVersionsInput(service).WithLimit(1).WithNextToken(text(token)))
	equal("list versions: the next page", ids, []string{"1"})
	ids, _ = list(fc.NewListServiceVersionsInput(service).WithForwardDirection())
	equal("list versions: forward", ids, []string{"1", "2"})
}

func nameVersions(client *fc.Client) {
	input := fc.NewCreateAliasInput(service).WithAliasName("prod").WithVersionID("1").
		WithAdditionalVersionWeight(map[string]float64{"2": 0.25})
	made := must(client.CreateAlias(input))
	equal("create alias: answers with it",
		[]any{text(made.AliasName), text(made.VersionID), made.AdditionalVersionWeight},
		[]any{"prod", "1", map[string]float64{"2": 0.25}})
	_, err := client.CreateAlias(input)
	refused("create alias twice", 409, "AliasAlreadyExists", err, "prod")
	read := must(client.GetAlias(fc.NewGetAliasInput(service, "prod")))
	update := fc.NewUpdateAliasInput(service, "prod").WithVersionID("2").
		WithAdditionalVersionWeight(map[string]float64{}).WithIfMatch(read.GetEtag())
	changed := must(client.UpdateAlias(update))
	equal("update alias", text(changed.VersionID), "2")
	equal("update alias: an empty map takes the second version away", len(changed.AdditionalVersionWeight), 0)
	_, err = client.UpdateAlias(update)
	refused("update alias with an old ETag", 412, "PreconditionFailed", err, "")
	listed := must(client.ListAliases(fc.NewListAliasesInput(service).WithPrefix("pr")))
	equal("list aliases: by prefix", len(listed.Aliases), 1)
	_, err = client.DeleteServiceVersion(fc.NewDeleteServiceVersionInput(service, "2"))
	refused("delete a version that an alias names", 409, "VersionInUse", err, "prod")
}

func callAlias(client *fc.Client) {
	call := fc.NewInvokeFunctionInput(service, function).WithQualifier("prod").WithPayload([]byte(`{"do":"describe"}`))
	answer := must(client.InvokeFunction(call))
	equal("call an alias: the version that ran", answer.Header.Get("x-fc-invocation-service-version"), "2")
	var seen map[string]any
	must(seen, json.Unmarshal(answer.Payload, &seen))
	equal("call an alias: the function sees it", seen["qualifier"], any("prod"))
	task := fc.NewInvokeFunctionInput(service, function).WithQualifier("prod").
		WithStatefulAsyncInvocationID("at-prod").WithHeader("x-fc-stateful-async-invocation-enable", "true").
		WithPayload([]byte("x"))
	must(client.InvokeFunction(task))
	equal("a task keeps its qualifier", text(waitFinal(client, "at-prod").Qualifier), "prod")
}

func removeVersions(client *fc.Client) {
	_, err := client.DeleteService(fc.NewDeleteServiceInput(service))
	refused("delete a service that has versions", 409, "ServiceNotEmpty", err, "")
	must(client.DeleteAlias(fc.NewDeleteAliasInput(service, "prod")))
	_, err = client.GetAlias(fc.NewGetAliasInput(service, "prod"))
	refused("get a deleted alias", 404, "AliasNotFound", err, "prod")
	for _, version := range []string{"1", "2"} {
		must(client.DeleteServiceVersion(fc.NewDeleteServiceVersionInput(service, version)))
	}
	left := must(client.ListServiceVersions(fc.NewListServiceVersionsInput(service)))
	equal("list versions: none is left", len(left.Versions), 0)
}
