package bench

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// row is one measure: what landwaiter took, what it is compared with, and what
// it should take.
type row struct{ measure, ours, against, ratio, budget string }

func (r row) cells() []string { return []string{r.measure, r.ours, r.against, r.ratio, r.budget} }

type table struct{ rows []row }

// results are the rows of all measures of one run.
var results table

func (t *table) add(r row) { t.rows = append(t.rows, r) }

func headings() []string {
	return []string{"measure", "landwaiter", "against", "ratio", "budget"}
}

// command reproduces the run.
const command = "make bench BENCH_PACKAGES=./test/bench"

// print writes the rows twice: to read, and to paste into a document.
func (t *table) print(w io.Writer, begun string) {
	if len(t.rows) == 0 {
		return
	}
	about := fmt.Sprintf("%s, %s/%s, %d cores, load average %s at the start and %s at the end; `%s`",
		time.Now().UTC().Format(time.DateOnly), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), begun, loadAverage(), command)
	var aligned, markdown strings.Builder
	columns := tabwriter.NewWriter(&aligned, 0, 0, 2, ' ', 0)
	for i, cells := range t.lines() {
		_, _ = io.WriteString(columns, strings.Join(cells, "\t")+"\n") // to memory
		markdown.WriteString("| " + strings.Join(cells, " | ") + " |\n")
		if i == 0 {
			markdown.WriteString("|" + strings.Repeat("---|", len(cells)) + "\n")
		}
	}
	_ = columns.Flush()                                                                                         // to memory
	_, _ = fmt.Fprintf(w, "\n%s\n\n%s\nThe same in Markdown:\n\n%s\n\n%s\n", about, &aligned, about, &markdown) // standard output
}

func (t *table) lines() [][]string {
	lines := [][]string{headings()}
	for _, r := range t.rows {
		lines = append(lines, r.cells())
	}
	return lines
}

// whole is for benchmarks that measure processes: the time of this one says
// nothing.
func whole(b *testing.B) {
	b.Helper()
	b.ReportMetric(0, "ns/op")
}

func loadAverage() string {
	raw, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(raw), " ")
	return first
}

// quantile is the value below which the share q of the values lies.
func quantile[T ~int64 | ~float64](values []T, q float64) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func median[T ~int64 | ~float64](values []T) T { return quantile(values, 0.5) }

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

func mebibytes(n int64) string { return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20)) }

func ratio[T ~int64 | ~float64](ours, against T) string {
	return fmt.Sprintf("%.2f", float64(ours)/float64(against))
}
