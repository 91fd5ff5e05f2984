package events

// Lane is how urgent a scan is; a worker always has a slot for Push and Demand.
type Lane string

// The lanes, fastest first.
const (
	LanePush   Lane = "push"
	LaneDemand Lane = "demand"
	LaneSweep  Lane = "sweep"
)

// Lanes lists the lanes, fastest first.
func Lanes() []Lane { return []Lane{LanePush, LaneDemand, LaneSweep} }

// Faster reports whether l goes before other.
func (l Lane) Faster(other Lane) bool { return l.rank() < other.rank() }

func (l Lane) valid() bool { return l.rank() < len(Lanes()) }

func (l Lane) rank() int {
	for i, lane := range Lanes() {
		if l == lane {
			return i
		}
	}
	return len(Lanes())
}

// AnyPool stands in a subject for "no pool asked for".
const AnyPool = "any"
