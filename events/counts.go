package events

// Counts sums findings by severity.
type Counts struct {
	Critical   int       `json:"critical"`
	High       int       `json:"high"`
	Medium     int       `json:"medium"`
	Low        int       `json:"low"`
	Negligible int       `json:"negligible"`
	Unknown    int       `json:"unknown"`
	Total      int       `json:"total"`
	Fixable    int       `json:"fixable"`
	MSR        MSRCounts `json:"msr"`
}

// MSRCounts sums findings as Mirantis Secure Registry does, by CVSS score.
type MSRCounts struct {
	Critical int `json:"critical"`
	Major    int `json:"major"`
	Minor    int `json:"minor"`
}

// least is the smallest of the counts.
func (c Counts) least() int {
	return min(
		c.Critical, c.High, c.Medium, c.Low, c.Negligible, c.Unknown,
		c.Total, c.Fixable, c.MSR.Critical, c.MSR.Major, c.MSR.Minor,
	)
}
