package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Event types of Azure Event Grid. Older versions left out the registry's
// prefix.
const (
	gridSubscription = "Microsoft.EventGrid."
	gridValidation   = gridSubscription + "SubscriptionValidationEvent"
	gridRegistry     = "Microsoft.ContainerRegistry."
)

// gridEvent is an event in either schema: CloudEvents, or Event Grid's own,
// which has other words for two of the attributes.
type gridEvent struct {
	cloudEvent
	EventType string          `json:"eventType"`
	EventTime json.RawMessage `json:"eventTime"`
}

// eventGrid reads a delivery of Event Grid: one event, or a list of up to 5,000.
func eventGrid(h http.Header, body []byte) (Batch, error) {
	if h.Get("Ce-Type") != "" {
		return gridBatch(binaryEvent(h, body))
	}
	list, err := members(body)
	if err != nil {
		return Batch{}, err
	}
	if len(list) > mostParts {
		return Batch{}, fmt.Errorf("decode list of events: %d of them, more than %d", len(list), mostParts)
	}
	return each(list, nil, func(m json.RawMessage) []byte { return m }, func(m json.RawMessage) (Batch, error) {
		e := gridEvent{cloudEvent: cloudEvent{raw: m}}
		if err := decodeMost(m, &e); err != nil {
			return Batch{}, fmt.Errorf("decode event: %w", err)
		}
		if e.Type == "" {
			e.Type, e.Time = e.EventType, e.EventTime
		}
		return gridBatch(e.cloudEvent)
	})
}

func gridBatch(e cloudEvent) (Batch, error) {
	switch {
	case e.Type == "":
		return Batch{}, errors.New("decode event: no type")
	case e.Type == gridValidation:
		return gridHandshake(e)
	case strings.HasPrefix(e.Type, gridSubscription): // the end of a subscription
		return Batch{Ignored: []Reason{Handshake}}, nil
	}
	var d acrEvent
	if err := decodeMost(e.content(), &d); err != nil {
		return Batch{}, fmt.Errorf("decode data of %.80q: %w", e.Type, err)
	}
	d.Action = gridAction(e.Type, d.Action)
	f, reason := d.fact()
	whole := e.fact()
	f.ID, f.DeliveryID = whole.ID, whole.DeliveryID // the data's id is not always one
	if f.OccurredAt.IsZero() {
		f.OccurredAt = whole.OccurredAt
	}
	return single(f.identified(), reason), nil
}

// gridAction is what happened. The data say it best, but not whether an event
// is the registry's at all, and a chart's type is proof of a chart.
func gridAction(kind, action string) string {
	name, ours := strings.CutPrefix(kind, gridRegistry)
	switch {
	case name == "ChartPushed":
		return acrChartPush
	case name == "ChartDeleted":
		return acrChartDelete
	case !ours && name != "ImagePushed" && name != "ImageDeleted":
		return ""
	case action != "":
		return action
	case name == "ImagePushed":
		return "push"
	case name == "ImageDeleted":
		return "delete"
	default:
		return ""
	}
}

// gridHandshake answers with the code in the event, which proves that whoever
// knows the secret of this address wants the subscription. The URL that is in
// it, too, is never fetched.
func gridHandshake(e cloudEvent) (Batch, error) {
	var d struct {
		Code string `json:"validationCode"`
	}
	if err := decodeMost(e.content(), &d); err != nil {
		return Batch{}, fmt.Errorf("decode data of a handshake: %w", err)
	}
	const most = 512 // bytes; it is a UUID
	if d.Code == "" || len(d.Code) > most {
		return Batch{}, fmt.Errorf("read validation code: %d bytes, want 1 to %d", len(d.Code), most)
	}
	answer, err := json.Marshal(map[string]string{"validationResponse": d.Code})
	if err != nil {
		return Batch{}, fmt.Errorf("encode answer: %w", err)
	}
	return Batch{Ignored: []Reason{Handshake}, Answer: &Answer{ContentType: "application/json", Body: answer}}, nil
}
