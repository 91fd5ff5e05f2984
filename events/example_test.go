package events_test

import (
	"fmt"
	"time"

	"github.com/landwaiter/landwaiter/events"
)

func Example() {
	pushed := events.RegistryEvent{
		Kind: events.ImagePushed, Registry: "hub", Host: "docker.io", Repository: "library/alpine", Tag: "3.20",
		Action: events.ActionPush, ReceivedAt: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), Source: "dockerhub",
	}
	event, err := events.New(pushed, events.Meta{ID: "delivery-1", Source: "ingest/hub", Time: pushed.ReceivedAt})
	if err != nil {
		fmt.Println(err)
		return
	}
	message := events.Topology{}.Encode(event)
	fmt.Println(message.Subject)
	fmt.Println(message.Header["ce-type"][0])

	received, err := events.Decode(message)
	if err != nil {
		fmt.Println(err)
		return
	}
	switch data := received.Data().(type) {
	case events.RegistryEvent:
		fmt.Println(data.Action, received.About())
	default:
		fmt.Println("something else")
	}
	// Output:
	// landwaiter.registry.image.pushed.hub
	// dev.landwaiter.image.pushed.v1
	// push docker.io/library/alpine:3.20
}
