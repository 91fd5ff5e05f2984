package printout

import (
	"io"
	"strconv"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/landwaiter/internal/client"
)

// Images writes a list of images, one line each.
func Images(w io.Writer, images []client.Image) error {
	t := &Table{}
	t.Row("IMAGE", "PLATFORM", "DIGEST", "STATUS", "CRITICAL", "HIGH", "MEDIUM", "LOW", "UNRATED", "SCANNED")
	for _, i := range images {
		name := Name(verdict.Image{Host: i.Host, Repository: i.Repository, Tags: i.Tags})
		scanned := "never"
		if !i.ScannedAt.IsZero() {
			scanned = day(i.ScannedAt)
		}
		cells := []string{name, platform(i.Platform), Short(i.Digest), status(i)}
		t.Row(append(append(cells, counts(i.Summary)...), scanned)...)
	}
	return t.Write(w)
}

// platform of an index is none.
func platform(p verdict.Platform) string {
	if p.OS == "" {
		return "-"
	}
	return p.String()
}

// counts of an image without a verdict are not known, which is not 0.
func counts(s *verdict.Summary) []string {
	if s == nil {
		return []string{"?", "?", "?", "?", "?"}
	}
	var cells []string
	for _, n := range []int{s.Critical, s.High, s.Medium, s.Low, s.Unknown} {
		cells = append(cells, strconv.Itoa(n))
	}
	return cells
}

func status(i client.Image) string {
	s := Status(i.Status)
	if !i.MissingSince.IsZero() {
		s += ", missing"
	}
	if i.Summary != nil && !i.Complete && i.Status != verdict.Failed {
		s += ", incomplete"
	}
	return s
}

// Status is a status in a word.
func Status(s verdict.Status) string {
	words := map[verdict.Status]string{
		verdict.Failed: "failed", verdict.Unscanned: "not scanned", verdict.Scanning: "scanning", verdict.Pending: "queued",
		verdict.Scanned: "not compared", verdict.Checking: "comparing", verdict.Completed: "done",
	}
	if w, ok := words[s]; ok {
		return w
	}
	return strconv.Itoa(int(s))
}
