module bide.example/conformance

go 1.21

require github.com/aliyun/fc-go-sdk v0.0.0-20230313060359-3a1b2ede1e1e

require (
	github.com/gorilla/websocket v1.4.2 // indirect
	golang.org/x/net v0.0.0-20181220203305-927f97764cc3 // indirect
	gopkg.in/resty.v1 v1.11.0 // indirect
)
