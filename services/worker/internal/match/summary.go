package match

import "github.com/landwaiter/landwaiter/services/internal/verdict"

// Summarise counts findings. Mirantis's three counts follow the CVSS score
// where there is one, else the severity; a negligible finding is in none of
// them.
func Summarise(findings []verdict.Finding) verdict.Summary {
	s := verdict.Summary{Total: len(findings)}
	for i := range findings {
		f := &findings[i]
		count(&s, f.Severity)
		countMSR(&s.MSR, f)
		if f.FixedVersion != "" {
			s.Fixable++
		}
	}
	return s
}

func count(s *verdict.Summary, severity verdict.Severity) {
	switch severity {
	case verdict.Critical:
		s.Critical++
	case verdict.High:
		s.High++
	case verdict.Medium:
		s.Medium++
	case verdict.Low:
		s.Low++
	case verdict.Negligible:
		s.Negligible++
	default:
		s.Unknown++
	}
}

func countMSR(m *verdict.MSRSummary, f *verdict.Finding) {
	switch {
	case f.Severity == verdict.Negligible:
	case f.CVSS != nil && f.CVSS.Score >= 7:
		m.Critical++
	case f.CVSS != nil && f.CVSS.Score >= 4:
		m.Major++
	case f.CVSS != nil && f.CVSS.Score > 0:
		m.Minor++
	case f.Severity == verdict.Critical || f.Severity == verdict.High:
		m.Critical++
	case f.Severity == verdict.Medium:
		m.Major++
	case f.Severity == verdict.Low:
		m.Minor++
	}
}
