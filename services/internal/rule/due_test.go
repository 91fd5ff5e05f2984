package rule

import "time"

// Due is the first due time after a moment, in UTC: what Latest is held against.
func (s Schedule) Due(anchor, after time.Time) time.Time {
	if s.zone != nil {
		return s.dailyDue(anchor, after)
	}
	anchor = anchor.UTC().Round(0)
	if after.Before(anchor) {
		return anchor
	}
	return anchor.Add(s.elapsed(anchor, after) + s.period())
}

func (s Schedule) dailyDue(anchor, after time.Time) time.Time {
	from := after
	if anchor.After(from) {
		from = anchor
	}
	// Two days back: where a whole day was skipped, that day's due time falls
	// on the next one.
	for day := s.date(from).AddDate(0, 0, -2); ; day = day.AddDate(0, 0, 1) {
		due := s.on(day)
		if due.After(after) && !due.Before(anchor) {
			return due
		}
	}
}
