// Triggers of types eventbridge and oss: create, get, update, list, delete.

package main

import (
	fc "github.com/aliyun/fc-go-sdk"
)

const (
	pattern = `{"source":["acs.shop"],"type":[{"prefix":"order."}]}`
	bucket  = "acs:oss:local::pictures"
)

func runEvents(client *fc.Client) {
	eventTrigger(client, fc.TRIGGER_TYPE_EVENTBRIDGE, "", busConfig(true),
		fc.NewEventBridgeTriggerConfig().WithTriggerEnable(false), busConfig(false))
	eventTrigger(client, fc.TRIGGER_TYPE_OSS, bucket, ossConfig("oss:ObjectCreated:*", "in/"),
		ossConfig("oss:ObjectRemoved:*", "out/"), ossConfig("oss:ObjectRemoved:*", "out/"))
	_, err := createEventTrigger(client, fc.TRIGGER_TYPE_OSS, bucket, ossConfig("oss:ObjectCreated:AppendObject", ""))
	refused("create oss for an event that never comes", 400, "InvalidArgument", err, "AppendObject")
}

func busConfig(enable bool) *fc.EventBridgeTriggerConfig {
	return fc.NewEventBridgeTriggerConfig().WithTriggerEnable(enable).WithAsyncInvocationType(true).
		WithEventRuleFilterPattern(pattern).
		WithEventSourceConfig(fc.NewEventSourceConfig().WithEventSourceType("Default"))
}

func ossConfig(event, prefix string) *fc.OSSTriggerConfig {
	key := fc.NewOSSTriggerKey().WithPrefix(prefix).WithSuffix(".png")
	return fc.NewOSSTriggerConfig().WithEvents([]string{event}).WithFilter(fc.NewOSSTriggerFilter().WithKey(key))
}

func eventTrigger(client *fc.Client, kind, source string, config, change, wanted any) {
	made := must(createEventTrigger(client, kind, source, config))
	equal("create "+kind+": answers with it", []any{text(made.TriggerType), text(made.SourceARN), made.TriggerConfig},
		[]any{kind, source, config})
	read := must(client.GetTrigger(fc.NewGetTriggerInput(service, function, kind)))
	equal("get "+kind, []any{read.TriggerID, read.TriggerConfig}, []any{made.TriggerID, made.TriggerConfig})
	changed := must(client.UpdateTrigger(fc.NewUpdateTriggerInput(service, function, kind).WithTriggerConfig(change)))
	equal("update "+kind+": changes what it names", changed.TriggerConfig, wanted)
	listed := must(client.ListTriggers(fc.NewListTriggersInput(service, function).WithPrefix(kind)))
	equal("list "+kind+": sees the update", listed.Triggers[0].TriggerConfig, wanted)
	must(client.DeleteTrigger(fc.NewDeleteTriggerInput(service, function, kind)))
	_, err := client.GetTrigger(fc.NewGetTriggerInput(service, function, kind))
	refused("get a deleted "+kind, 404, "TriggerNotFound", err, kind)
}

func createEventTrigger(client *fc.Client, kind, source string, config any) (*fc.CreateTriggerOutput, error) {
	return client.CreateTrigger(fc.NewCreateTriggerInput(service, function).WithTriggerName(kind).
		WithTriggerType(kind).WithSourceARN(source).WithTriggerConfig(config))
}
