// Command conformance drives bide with the official Go client, fc-go-sdk, unmodified.
//
// It needs BIDE_ENDPOINT, BIDE_ACCOUNT_ID, BIDE_ACCESS_KEY_ID and BIDE_ACCESS_KEY_SECRET, and a server without our
// service. Run it with `cargo xtask conformance go`.
package main

func main() {
	client := newClient(accessKeyID, accessKeySecret)
	createAll(client)
	documentedExample(client)
	invokeAll(client)
	runTimers(client)
	runEvents(client)
	configure(client)
	runTasks(client)
	listTasks(client)
	refuseAll(client)
	webAll(client)
	scaleAll(client)
	versionAll(client)
	removeConfig(client)
	removeAll(client)
}
