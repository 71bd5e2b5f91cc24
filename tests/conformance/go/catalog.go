// Services and functions: create, get, update, list, code, delete.

package main

import (
	"bytes"
	"hash/crc64"
	"io"
	"net/http"
	"strconv"

	fc "github.com/aliyun/fc-go-sdk"
)

func createAll(client *fc.Client) {
	createService(client)
	code := packageZip()
	createFunctions(client, code)
	readCode(client, code)
	listFunctions(client)
}

func createService(client *fc.Client) {
	input := fc.NewCreateServiceInput().WithServiceName(service).WithDescription("made by fc-go-sdk")
	made := must(client.CreateService(input))
	equal("create service: answers with the service", text(made.ServiceName), service)
	check("create service: has an ID", text(made.ServiceID) != "", made)
	check("create service: has a request ID", made.GetRequestID() != "", made)
	_, err := client.CreateService(input)
	refused("create service twice", 409, "ServiceAlreadyExists", err, service)
	read := must(client.GetService(fc.NewGetServiceInput(service)))
	equal("get service", text(read.ServiceID), text(made.ServiceID))
	must(client.UpdateService(fc.NewUpdateServiceInput(service).WithDescription("changed").WithIfMatch(read.GetEtag())))
	_, err = client.UpdateService(fc.NewUpdateServiceInput(service).WithDescription("never").WithIfMatch("another"))
	refused("update service with an old ETag", 412, "PreconditionFailed", err, "")
	read = must(client.GetService(fc.NewGetServiceInput(service)))
	equal("update service", text(read.Description), "changed")
	listed := must(client.ListServices(fc.NewListServicesInput().WithPrefix(service)))
	equal("list services: by prefix", len(listed.Services), 1)
}

func createFunctions(client *fc.Client, code []byte) {
	input := fc.NewCreateFunctionInput(service).WithFunctionName(function).WithRuntime("python3").
		WithHandler("index.handler").WithTimeout(60).WithMemorySize(256).
		WithEnvironmentVariables(map[string]string{"GREETING": "hello"}).WithCode(fc.NewCode().WithZipFile(code))
	made := must(client.CreateFunction(input))
	equal("create function: answers with its settings",
		[]any{text(made.FunctionName), text(made.Runtime), text(made.Handler), number(made.Timeout), number(made.MemorySize)},
		[]any{function, "python3", "index.handler", int64(60), int64(256)})
	equal("create function: knows the size of the code", number(made.CodeSize), int64(len(code)))
	checksum := crc64.Checksum(code, crc64.MakeTable(crc64.ECMA))
	equal("create function: CRC-64 of the code", text(made.CodeChecksum), strconv.FormatUint(checksum, 10))
	read := must(client.GetFunction(fc.NewGetFunctionInput(service, function).WithQualifier("LATEST")))
	equal("get function: with a qualifier", text(read.FunctionID), text(made.FunctionID))
	_, err := client.CreateFunction(input)
	refused("create function twice", 409, "FunctionAlreadyExists", err, function)
	changed := must(client.UpdateFunction(fc.NewUpdateFunctionInput(service, function).WithDescription("changed")))
	equal("update function: changes what it names and keeps the rest",
		[]any{text(changed.Description), number(changed.Timeout)}, []any{"changed", int64(60)})
	must(client.CreateFunction(fc.NewCreateFunctionInput(service).WithFunctionName(sink).WithRuntime("python3").
		WithHandler("index.handler").WithCode(fc.NewCode().WithFiles(codeFile))))
}

func readCode(client *fc.Client, code []byte) {
	answer := must(client.GetFunctionCode(fc.NewGetFunctionCodeInput(service, function)))
	response := must(http.Get(answer.URL))
	defer response.Body.Close()
	equal("get code: the URL gives the package", bytes.Equal(must(io.ReadAll(response.Body)), code), true)
}

func listFunctions(client *fc.Client) {
	list := func(input *fc.ListFunctionsInput) (names []string, token *string) {
		page := must(client.ListFunctions(input))
		for _, found := range page.Functions {
			names = append(names, text(found.FunctionName))
		}
		return names, page.NextToken
	}
	names, token := list(fc.NewListFunctionsInput(service).WithLimit(1))
	equal("list functions: a page", names, []string{sink})
	names, token = list(fc.NewListFunctionsInput(service).WithLimit(1).WithNextToken(text(token)))
	equal("list functions: the next page", names, []string{function})
	equal("list functions: no token at the end", text(token), "")
	names, _ = list(fc.NewListFunctionsInput(service).WithPrefix("wor"))
	equal("list functions: by prefix", names, []string{function})
}

func removeAll(client *fc.Client) {
	_, err := client.DeleteService(fc.NewDeleteServiceInput(service))
	refused("delete a service that has functions", 409, "ServiceNotEmpty", err, "")
	for _, name := range []string{function, sink} {
		must(client.DeleteFunction(fc.NewDeleteFunctionInput(service, name)))
		_, err = client.GetFunction(fc.NewGetFunctionInput(service, name))
		refused("get a deleted function", 404, "FunctionNotFound", err, name)
	}
	must(client.DeleteService(fc.NewDeleteServiceInput(service)))
	_, err = client.GetService(fc.NewGetServiceInput(service))
	refused("get a deleted service", 404, "ServiceNotFound", err, service)
}
