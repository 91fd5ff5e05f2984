package layer

import "io"

// Progress returns a reader that reports, as it is read, how many bytes were
// read so far. report is called on the reading goroutine and should be quick.
func Progress(r io.Reader, report func(bytes int64)) io.Reader {
	return &progress{r: r, report: report}
}

type progress struct {
	r      io.Reader
	report func(bytes int64)
	size   int64
}

// Read implements io.Reader.
func (p *progress) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	if n > 0 {
		p.size += int64(n)
		p.report(p.size)
	}
	return n, err
}
