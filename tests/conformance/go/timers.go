// Triggers of type timer: create, get, update, list, delete.

package main

import (
	fc "github.com/aliyun/fc-go-sdk"
)

const (
	timer    = "nightly"
	schedule = "CRON_TZ=Asia/Shanghai 0 30 2 * * MON-FRI"
)

func runTimers(client *fc.Client) {
	config := fc.NewTimeTriggerConfig().WithCronExpression(schedule).WithPayload("any text").WithEnable(true)
	made := must(createTimer(client, timer, config))
	equal("create timer: answers with it", []any{text(made.TriggerName), text(made.TriggerType), text(made.Qualifier)},
		[]any{timer, fc.TRIGGER_TYPE_TIMER, "LATEST"})
	equal("create timer: its configuration", made.TriggerConfig, any(config))
	read := must(client.GetTrigger(fc.NewGetTriggerInput(service, function, timer)))
	equal("get timer", []any{read.TriggerID, read.TriggerConfig}, []any{made.TriggerID, made.TriggerConfig})
	_, err := createTimer(client, timer, config)
	refused("create timer twice", 409, "TriggerAlreadyExists", err, timer)
	_, err = createTimer(client, "other", fc.NewTimeTriggerConfig().WithCronExpression("* * * * * *").WithEnable(true))
	refused("create timer that fires every second", 400, "InvalidArgument", err, "cronExpression")
	// The library sends what is not set as null.
	changed := must(client.UpdateTrigger(fc.NewUpdateTriggerInput(service, function, timer).
		WithTriggerConfig(fc.NewTimeTriggerConfig().WithCronExpression("@every 4m").WithEnable(false))))
	wanted := fc.NewTimeTriggerConfig().WithCronExpression("@every 4m").WithPayload("any text").WithEnable(false)
	equal("update timer: changes what it names", changed.TriggerConfig, any(wanted))
	listed := must(client.ListTriggers(fc.NewListTriggersInput(service, function).WithPrefix("night")))
	equal("list timers: sees the update", listed.Triggers[0].TriggerConfig, any(wanted))
	must(client.DeleteTrigger(fc.NewDeleteTriggerInput(service, function, timer)))
	_, err = client.GetTrigger(fc.NewGetTriggerInput(service, function, timer))
	refused("get a deleted timer", 404, "TriggerNotFound", err, timer)
}

func createTimer(client *fc.Client, name string, config *fc.TimeTriggerConfig) (*fc.CreateTriggerOutput, error) {
	return client.CreateTrigger(fc.NewCreateTriggerInput(service, function).WithTriggerName(name).
		WithTriggerType(fc.TRIGGER_TYPE_TIMER).WithTriggerConfig(config))
}
