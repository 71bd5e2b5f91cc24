// Lists of tasks: filters, order, pages.

package main

import (
	"fmt"
	"slices"

	fc "github.com/aliyun/fc-go-sdk"
)

const listPrefix = "list-"

func listTasks(client *fc.Client) {
	var ids []string
	for count := 0; count < 5; count++ {
		taskID := fmt.Sprintf("%s%d", listPrefix, count)
		must(submit(client, taskID, taskID))
		ids = append(ids, taskID)
	}
	for _, taskID := range ids {
		waitFinal(client, taskID)
	}
	newest := slices.Clone(ids)
	slices.Reverse(newest)
	equal("list: oldest first", found(client, listInput().WithSortOrderByTime("asc")), ids)
	equal("list: newest first", found(client, listInput().WithSortOrderByTime("desc")), newest)
	equal("list: pages of 2", found(client, listInput().WithSortOrderByTime("asc").WithLimit(2)), ids)
	succeeded := found(client, listInput().WithStatus("Succeeded").WithSortOrderByTime("asc"))
	equal("list: by status", succeeded, ids)
	equal("list: none of a status", len(found(client, listInput().WithStatus("Failed"))), 0)
	equal("list: with a qualifier", len(found(client, listInput().WithQualifier("LATEST"))), len(ids))
	started := number(getTask(client, function, ids[0]).StartedTime)
	equal("list: from a start time on", len(found(client, listInput().WithStartedTimeBegin(started))), len(ids))
	equal("list: up to a start time", len(found(client, listInput().WithStartedTimeEnd(started-1))), 0)
}

func listInput() *fc.ListStatefulAsyncInvocationsInput {
	return fc.NewListStatefulAsyncInvocationsInput(service, function).WithInvocationIDPrefix(listPrefix)
}

// found is the IDs on all pages, one page after the other.
func found(client *fc.Client, input *fc.ListStatefulAsyncInvocationsInput) (ids []string) {
	for {
		page := must(client.ListStatefulAsyncInvocations(input))
		for _, task := range page.Invocations {
			ids = append(ids, text(task.InvocationID))
		}
		if text(page.NextToken) == "" {
			return ids
		}
		input.WithNextToken(*page.NextToken)
	}
}
