package advisory

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// maxFeed bounds a feed, unpacked. EPSS has some 10 MB, KEV 1.5 MB.
const maxFeed = 256 << 20

// feeds are facts about CVEs that come from no advisory.
type feeds struct {
	kev      map[string]bool
	epss     map[string]score
	epssDate string
	digest   string // of both, for the database's version
	epssCopy Copy
	kevCopy  Copy
}

// Copy tells copies of a feed apart: one may be older than another.
type Copy struct {
	Date   string // as the feed writes it; later ones sort after earlier ones
	Digest string // of its content, hexadecimal; empty: there is none
}

func copyOf(date string, data []byte) Copy {
	sum := sha256.Sum256(data)
	return Copy{Date: date, Digest: hex.EncodeToString(sum[:])}
}

type score struct{ score, percentile float64 }

func readFeeds(kev, epss string) (feeds, error) {
	var f feeds
	h := sha256.New()
	if kev != "" {
		data, err := readFeed(kev)
		if err == nil {
			f.kev, f.kevCopy.Date, err = parseKEV(data)
		}
		if err != nil {
			return feeds{}, fmt.Errorf("read KEV %s: %w", kev, err)
		}
		f.kevCopy = copyOf(f.kevCopy.Date, data)
		_, _ = fmt.Fprintf(h, "kev %d\n%s", len(data), data) // never fails
	}
	if epss != "" {
		data, err := readFeed(epss)
		if err == nil {
			f.epss, f.epssDate, err = parseEPSS(strings.NewReader(string(data)))
		}
		if err != nil {
			return feeds{}, fmt.Errorf("read EPSS %s: %w", epss, err)
		}
		f.epssCopy = copyOf(f.epssDate, data)
		_, _ = fmt.Fprintf(h, "epss %d\n%s", len(data), data)
	}
	if kev != "" || epss != "" {
		f.digest = hex.EncodeToString(h.Sum(nil))
	}
	return f, nil
}

// CheckEPSS tells whether a file of EPSS scores can be read.
func CheckEPSS(path string) error {
	_, err := readFeeds("", path)
	return err
}

// CheckKEV tells whether a file of known exploited vulnerabilities can be read.
func CheckKEV(path string) error {
	_, err := readFeeds(path, "")
	return err
}

// readFeed reads a file, unpacked where it is gzip.
func readFeed(path string) ([]byte, error) {
	file, err := os.Open(path) //nolint:gosec // the operator names it
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // only read
	buf := bufio.NewReader(file)
	r := io.Reader(buf)
	if head, _ := buf.Peek(2); string(head) == "\x1f\x8b" {
		if r, err = gzip.NewReader(buf); err != nil {
			return nil, err
		}
	}
	data, err := io.ReadAll(io.LimitReader(r, maxFeed+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFeed {
		return nil, fmt.Errorf("larger than %d bytes", maxFeed)
	}
	return data, nil
}

func parseKEV(data []byte) (entries map[string]bool, date string, err error) {
	var catalog struct {
		Released        string `json:"dateReleased"`
		Vulnerabilities []struct {
			CVE string `json:"cveID"`
		} `json:"vulnerabilities"`
	}
	if err := json.Unmarshal(data, &catalog); err != nil {
		return nil, "", fmt.Errorf("parse: %w", err)
	}
	if len(catalog.Vulnerabilities) == 0 {
		return nil, "", errors.New("parse: no entry")
	}
	entries = make(map[string]bool, len(catalog.Vulnerabilities))
	for _, v := range catalog.Vulnerabilities {
		entries[v.CVE] = true
	}
	return entries, fmt.Sprintf("%.40s", catalog.Released), nil
}

// parseEPSS reads the daily table: an optional comment line with the day, an
// optional percentile column. Rows that make no sense are left out.
func parseEPSS(r io.Reader) (scores map[string]score, date string, err error) {
	lines := csv.NewReader(r)
	lines.FieldsPerRecord = -1
	lines.ReuseRecord = true
	lines.LazyQuotes = true
	scores = map[string]score{}
	for {
		row, err := lines.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, "", fmt.Errorf("parse: %w", err)
		}
		if strings.HasPrefix(row[0], "#") {
			date = scoreDate(row)
			continue
		}
		if s, ok := parseScore(row); ok {
			scores[strings.Clone(row[0])] = s
		}
	}
	if len(scores) == 0 {
		return nil, "", errors.New("parse: no score")
	}
	return scores, date, nil
}

// scoreDate finds the day in "#model_version:v2025.03.14,score_date:2026-05-18T00:00:00Z".
func scoreDate(row []string) string {
	for _, field := range row {
		if day, found := strings.CutPrefix(field, "score_date:"); found && len(day) >= len("2006-01-02") {
			return day[:len("2006-01-02")]
		}
	}
	return ""
}

func parseScore(row []string) (score, bool) {
	if len(row) < 2 {
		return score{}, false
	}
	if _, ok := CVE(row[0]); !ok {
		return score{}, false
	}
	var s score
	var err error
	if s.score, err = strconv.ParseFloat(row[1], 64); err != nil || !(s.score >= 0 && s.score <= 1) {
		return score{}, false
	}
	if len(row) > 2 {
		if s.percentile, err = strconv.ParseFloat(row[2], 64); err != nil || !(s.percentile >= 0 && s.percentile <= 1) {
			s.percentile = 0
		}
	}
	return s, true
}
