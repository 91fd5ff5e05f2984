package rule

import "time"

func (s Schedule) dailyLatest(anchor, now time.Time) (time.Time, bool) {
	today := s.date(now)
	for back := -1; back <= 2; back++ {
		due := s.on(today.AddDate(0, 0, -back))
		if !due.After(now) {
			return due, !due.Before(anchor)
		}
	}
	return time.Time{}, false
}

// date is the local day of a moment, as midnight in UTC: there, unlike in a
// zone, every day exists and can be counted on from.
func (s Schedule) date(t time.Time) time.Time {
	y, m, d := t.In(s.zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// on is the due time of a local day, in UTC.
func (s Schedule) on(day time.Time) time.Time {
	y, m, d := day.Date()
	return wall(y, m, d, s.hour, s.minute, s.zone).UTC()
}

// wall finds the moment the clocks of a zone show a time: the first where
// there are two, the moment they are put forward where there is none.
// time.Date leaves the choice open in both cases.
func wall(y int, m time.Month, d, hour, minute int, zone *time.Location) time.Time {
	want := time.Date(y, m, d, hour, minute, 0, 0, time.UTC)
	t := time.Date(y, m, d, hour, minute, 0, 0, zone)
	start, end := t.ZoneBounds()
	switch shown := shownBy(t); {
	case shown.After(want): // skipped, and t lies behind the gap
		return start
	case shown.Before(want): // skipped, and t lies before the gap
		return end
	}
	if !start.IsZero() {
		_, offset := start.Add(-1).Zone()
		earlier := want.Add(-time.Duration(offset) * time.Second).In(zone)
		if earlier.Before(start) && shownBy(earlier).Equal(want) {
			return earlier
		}
	}
	return t
}

// shownBy is what the clocks show at a moment, as if it were UTC.
func shownBy(t time.Time) time.Time {
	_, offset := t.Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}
