package limit_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/landwaiter/landwaiter/services/internal/limit"
)

func TestLimits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, tt := range []struct {
		text string
		most int64
		want error
	}{
		{"", 0, nil}, {"", 1, nil}, {"abc", 4, nil}, {"abc", 3, nil}, {"abc", 2, limit.ErrTooLong}, {"a", 0, limit.ErrTooLong},
	} {
		if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		of, errOf := limit.ReadAll(strings.NewReader(tt.text), tt.most)
		in, errIn := limit.ReadFile(path, tt.most)
		want := tt.text
		if tt.want != nil {
			want = ""
		}
		if string(of) != want || string(in) != want || !errors.Is(errOf, tt.want) || !errors.Is(errIn, tt.want) {
			t.Errorf("%q, at most %d bytes: got %q and %q, %v and %v", tt.text, tt.most, of, in, errOf, errIn)
		}
	}
}

func TestFileErrors(t *testing.T) {
	if _, err := limit.ReadFile(filepath.Join(t.TempDir(), "none"), 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	dir := t.TempDir()
	if _, err := limit.ReadFile(dir, 1); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("a folder: %v, want its name in the error", err)
	}
}
