package events

import (
	"strings"
	"time"
)

// Durable describes a durable pull consumer: data for whoever creates it.
type Durable struct {
	Name    string
	Stream  StreamName
	Filters []string
	// Lease is how long a message stays with a handler that has gone silent.
	// Handlers renew it, so it is short however long they work.
	Lease time.Duration
}

const lease = 10 * time.Second

// Consumers whose stream and filters are fixed.

// PlanFacts reads the registry facts that may lead to a scan.
func (t Topology) PlanFacts() Durable {
	return Durable{
		Name: "plan", Stream: Registry, Lease: lease,
		Filters: []string{t.subject("registry.image.pushed.>"), t.subject("registry.image.deleted.>")},
	}
}

// LayerFacts reads the layers that were pushed.
func (t Topology) LayerFacts() Durable {
	return Durable{
		Name: "layers", Stream: Registry, Lease: lease,
		Filters: []string{t.subject("registry.layer.pushed.>")},
	}
}

// PlanRequests reads what users asked for.
func (t Topology) PlanRequests() Durable {
	return Durable{Name: "requests", Stream: Plans, Lease: lease, Filters: []string{t.subject("plan.>")}}
}

// DueSweeps reads the sweeps that are due.
func (t Topology) DueSweeps() Durable {
	return Durable{Name: "sweeps", Stream: Sweeps, Lease: lease, Filters: []string{t.subject("sweep.>")}}
}

// Rematches reads the verdicts that are to be made again.
func (t Topology) Rematches() Durable {
	return Durable{Name: "rematch", Stream: Rematch, Lease: lease, Filters: []string{t.subject("rematch")}}
}

// ReportResults reads every result for the report service's view.
func (t Topology) ReportResults() Durable {
	return Durable{Name: "report", Stream: Results, Lease: lease, Filters: []string{t.subject("result.>")}}
}

// ReplayedWebhooks reads the webhooks that are to be read again.
func (t Topology) ReplayedWebhooks() Durable {
	return Durable{Name: "ingest", Stream: Replays, Lease: lease, Filters: []string{t.subject("replay.>")}}
}

// ScanWakeUps reads one lane of one OS and pool; its workers share it.
func (t Topology) ScanWakeUps(lane Lane, os, pool string) Durable {
	name := string(lane) + "-" + os + "-" + pool
	subject := strings.Join([]string{"scan", string(lane), os, pool}, ".")
	return Durable{Name: name, Stream: Scans, Lease: lease, Filters: []string{t.subject(subject)}}
}

// Durables lists the consumers every installation has. The lanes' consumers
// are made by the workers that serve them, see ScanWakeUps.
func (t Topology) Durables() []Durable {
	return []Durable{
		t.PlanFacts(), t.LayerFacts(), t.PlanRequests(), t.DueSweeps(), t.Rematches(), t.ReportResults(), t.ReplayedWebhooks(),
	}
}
