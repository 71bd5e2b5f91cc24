// Functions over HTTP: triggers, signed calls, signed URLs, asynchronous calls, custom domains.

package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	fc "github.com/aliyun/fc-go-sdk"
)

const (
	web     = "web"
	trigger = "http"
	domain  = "go.example.com"
	proxy   = "/2016-08-15/proxy/" + service + "/" + web
	webFile = "../functions/python/web.py"
)

// seen is what the function saw of a request.
type seen struct {
	Method, Path, Query, Own, Body, RequestID string
	Signed                                    bool
}

func webAll(client *fc.Client) {
	must(client.CreateFunction(fc.NewCreateFunctionInput(service).WithFunctionName(web).WithRuntime("python3").
		WithHandler("web.handler").WithTimeout(60).WithCode(fc.NewCode().WithFiles(webFile))))
	createTrigger(client)
	signedCalls(client)
	signedURLs(client)
	asynchronousCall(client)
	updateTrigger(client)
	customDomain(client)
	removeWeb(client)
}

func createTrigger(client *fc.Client) {
	rules := fc.NewHTTPTriggerConfig().WithAuthType(fc.AuthFunction).WithMethods("GET", "POST")
	input := fc.NewCreateTriggerInput(service, web).WithTriggerName(trigger).WithTriggerType(fc.TRIGGER_TYPE_HTTP).
		WithTriggerConfig(rules).WithDescription("of the client")
	made := must(client.CreateTrigger(input))
	equal("create trigger: answers with it", []any{text(made.TriggerName), text(made.TriggerType), text(made.Description)},
		[]any{trigger, fc.TRIGGER_TYPE_HTTP, "of the client"})
	_, err := client.CreateTrigger(input)
	refused("create a trigger twice", 409, "TriggerAlreadyExists", err, trigger)
	read := must(client.GetTrigger(fc.NewGetTriggerInput(service, web, trigger)))
	config, isHTTP := read.TriggerConfig.(*fc.HTTPTriggerConfig)
	check("get trigger: the library knows its kind", isHTTP, read.TriggerConfig)
	equal("get trigger: its rules", []any{text(config.AuthType), config.Methods}, []any{"function", []string{"GET", "POST"}})
	listed := must(client.ListTriggers(fc.NewListTriggersInput(service, web).WithLimit(10)))
	equal("list triggers", len(listed.Triggers), 1)
	_, err = client.GetTrigger(fc.NewGetTriggerInput(service, web, "nobody"))
	refused("get an unknown trigger", 404, "TriggerNotFound", err, "nobody")
}

// call signs a request with the library and sends it. It names a content type, since the library sends one of its own
// choice otherwise, after it has signed none.
func call(client *fc.Client, method, target, body string, header http.Header) (*http.Response, string) {
	request := must(http.NewRequest(method, endpoint+target, nil))
	if body != "" {
		request.Body = io.NopCloser(strings.NewReader(body))
	}
	request.Header.Set("Content-Type", "text/plain")
	for name, values := range header {
		request.Header[name] = values
	}
	return whole(must(client.DoHttpRequest(request)))
}

func whole(response *http.Response) (*http.Response, string) {
	defer response.Body.Close()
	return response, string(must(io.ReadAll(response.Body)))
}

func see(body string) (saw seen) {
	must(struct{}{}, json.Unmarshal([]byte(body), &saw))
	return saw
}

func signedCalls(client *fc.Client) {
	response, body := call(client, "POST", proxy+"/a%20b/c?z=1+2&a=%C3%BC", "a body", http.Header{"X-Own": {"yes"}})
	check("signed call: answers", response.StatusCode == 200, body)
	equal("signed call: status and header", []any{response.StatusCode, response.Header.Get("X-Answer")}, []any{200, "yes"})
	saw := see(body)
	equal("signed call: the request ID", saw.RequestID, response.Header.Get("X-Fc-Request-Id"))
	equal("signed call: what the function sees",
		[]any{saw.Method, saw.Path, saw.Own, saw.Body, saw.Signed}, []any{"POST", "/a b/c", "yes", "a body", false})
	equal("signed call: the query", must(url.ParseQuery(saw.Query)), url.Values{"z": {"1 2"}, "a": {"ü"}})
	response, body = call(client, "GET", proxy+"/teapot", "", nil)
	equal("signed call: the function's own status", []any{response.StatusCode, body}, []any{418, "short and stout"})
	response, body = call(client, "POST", proxy+"/fail", "", nil)
	equal("a function that raises: 502 and its type of error",
		[]any{response.StatusCode, response.Header.Get("X-Fc-Error-Type")}, []any{502, "UnhandledInvocationError"})
	check("a function that raises: its message", strings.Contains(body, "told to fail"), body)
	platform(client, "PUT", proxy+"/", 403, "AccessDenied", "a method that is not listed")
	platform(newClient(accessKeyID, "wrong"), "GET", proxy+"/", 403, "SignatureNotMatch", "a wrong secret")
	platform(client, "GET", "/2016-08-15/proxy/"+service+"/nobody/", 404, "FunctionNotFound", "an unknown function")
}

// platform checks that a signed call is refused by the platform.
func platform(client *fc.Client, method, target string, status int, code, what string) {
	response, body := call(client, method, target, "", nil)
	var refusal struct{ ErrorCode string }
	must(struct{}{}, json.Unmarshal([]byte(body), &refusal))
	equal(what, []any{response.StatusCode, refusal.ErrorCode, response.Header.Get("X-Fc-Error-Type")},
		[]any{status, code, "FcCommonError"})
}

func signedURLs(client *fc.Client) {
	input := fc.NewSignURLInput("GET", service, web, time.Now().Add(time.Minute)).WithEscapedPath("/signed%20url").
		WithQueries(url.Values{"q": {"1", "2"}})
	response, body := whole(must(http.Get(must(client.SignURL(input)))))
	equal("signed URL: status", response.StatusCode, 200)
	equal("signed URL: what the function sees", see(body).Path, "/signed url")
	old := fc.NewSignURLInput("GET", service, web, time.Now().Add(-time.Minute))
	response, _ = whole(must(http.Get(must(client.SignURL(old)))))
	equal("signed URL: past its time", response.StatusCode, 403)
	response, _ = whole(must(http.Post(must(client.SignURL(input)), "text/plain", nil)))
	equal("signed URL: for another method", response.StatusCode, 403)
}

func asynchronousCall(client *fc.Client) {
	header := http.Header{"X-Fc-Invocation-Type": {"Async"}, "X-Fc-Stateful-Async-Invocation-Id": {"web-1"},
		"X-Fc-Stateful-Async-Invocation-Enable": {"true"}, "X-Own": {"later"}}
	response, body := call(client, "POST", proxy+"/later?q=1", "later", header)
	equal("asynchronous call: 202 and an empty body", []any{response.StatusCode, body}, []any{202, ""})
	task := waitFor("the call ends", func() (*fc.GetStatefulAsyncInvocationOutput, bool) {
		task := getTask(client, web, "web-1")
		return task, isFinal(task)
	})
	equal("asynchronous call: ends well", text(task.Status), "Succeeded")
	equal("asynchronous call: its body is its event", text(task.InvocationPayload), "later")
}

func updateTrigger(client *fc.Client) {
	old := must(client.GetTrigger(fc.NewGetTriggerInput(service, web, trigger))).GetEtag()
	rules := fc.NewHTTPTriggerConfig().WithAuthType(fc.AuthAnonymous).WithMethods("GET")
	changed := must(client.UpdateTrigger(fc.NewUpdateTriggerInput(service, web, trigger).WithTriggerConfig(rules)))
	equal("update trigger", text(changed.TriggerConfig.(*fc.HTTPTriggerConfig).AuthType), "anonymous")
	_, err := client.UpdateTrigger(
		fc.NewUpdateTriggerInput(service, web, trigger).WithTriggerConfig(rules).WithIfMatch(old))
	refused("update trigger with an old ETag", 412, "PreconditionFailed", err, "")
	response, _ := whole(must(http.Get(endpoint + proxy + "/")))
	equal("unsigned call: an anonymous trigger answers", response.StatusCode, 200)
}

func atDomain(path string) (*http.Response, string) {
	request := must(http.NewRequest("GET", endpoint+path, nil))
	request.Host = domain
	return whole(must(http.DefaultClient.Do(request)))
}

func customDomain(client *fc.Client) {
	route := fc.NewPathConfig().WithPath("/*").WithServiceName(service).WithFunctionName(web).WithQualifier("LATEST")
	routes := fc.NewRouteConfig().WithRoutes([]fc.PathConfig{*route})
	made := must(client.CreateCustomDomain(fc.NewCreateCustomDomainInput().WithDomainName(domain).WithProtocol("HTTP").
		WithRouteConfig(routes)))
	equal("create custom domain", []any{text(made.DomainName), text(made.Protocol)}, []any{domain, "HTTP"})
	response, body := atDomain("/x")
	equal("custom domain: leads to the function", []any{response.StatusCode, see(body).Path}, []any{200, "/x"})
	routes.Routes[0].WithPath("/only")
	must(client.UpdateCustomDomain(fc.NewUpdateCustomDomainInput(domain).WithRouteConfig(routes)))
	read := must(client.GetCustomDomain(fc.NewGetCustomDomainInput(domain)))
	equal("update custom domain", text(read.RouteConfig.Routes[0].Path), "/only")
	response, _ = atDomain("/x")
	equal("update custom domain: no route", response.StatusCode, 404)
	listed := must(client.ListCustomDomains(fc.NewListCustomDomainsInput().WithPrefix("go.")))
	equal("list custom domains", len(listed.CustomDomains), 1)
	must(client.DeleteCustomDomain(fc.NewDeleteCustomDomainInput(domain)))
	_, err := client.GetCustomDomain(fc.NewGetCustomDomainInput(domain))
	refused("get a deleted custom domain", 404, "DomainNameNotFound", err, domain)
}

func removeWeb(client *fc.Client) {
	must(client.DeleteTrigger(fc.NewDeleteTriggerInput(service, web, trigger)))
	_, err := client.GetTrigger(fc.NewGetTriggerInput(service, web, trigger))
	refused("get a deleted trigger", 404, "TriggerNotFound", err, trigger)
	response, _ := whole(must(http.Get(endpoint + proxy + "/")))
	equal("delete trigger: the address is gone", response.StatusCode, 404)
	must(client.DeleteFunction(fc.NewDeleteFunctionInput(service, web)))
}
