package failpoint_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/landwaiter/landwaiter/services/internal/failpoint"
)

func TestAroundTellsBothMoments(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	tests := []struct {
		name string
		err  error
		want []string
	}{
		{"written", nil, []string{"plan.job:before", "write", "plan.job:after"}},
		{"refused", refused, []string{"plan.job:before", "write"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			hook := failpoint.Hook(func(p failpoint.Point, m failpoint.Moment) {
				got = append(got, string(p)+":"+string(m))
			})
			err := hook.Around(failpoint.PlanJob, func() error {
				got = append(got, "write")
				return tt.err
			})
			if !errors.Is(err, tt.err) || !slices.Equal(got, tt.want) {
				t.Errorf("error %v, moments %v; want %v, %v", err, got, tt.err, tt.want)
			}
		})
	}
}

func TestNothingArmedOnlyWrites(t *testing.T) {
	t.Parallel()
	var none failpoint.Hook
	written := 0
	if err := none.Around(failpoint.PlanJob, func() error { written++; return nil }); err != nil || written != 1 {
		t.Errorf("error %v, written %d times", err, written)
	}
}

func TestArm(t *testing.T) {
	t.Parallel()
	ended := 0
	hook, err := failpoint.Arm("scan.finish:after", func() { ended++ })
	if err != nil {
		t.Fatal(err)
	}
	hook(failpoint.ScanFinish, failpoint.Before)
	hook(failpoint.ScanClaim, failpoint.After)
	if ended != 0 {
		t.Fatal("ended at another point")
	}
	hook(failpoint.ScanFinish, failpoint.After)
	if ended != 1 {
		t.Errorf("ended %d times, want 1", ended)
	}
}

func TestArmNamesTheMistake(t *testing.T) {
	t.Parallel()
	for _, spec := range []string{"", "scan.finish", "scan.finish:", "scan.finish:during", "scan.finnish:after", ":before"} {
		_, err := failpoint.Arm(spec, func() {})
		if err == nil || !strings.HasPrefix(err.Error(), "failpoint \"") {
			t.Errorf("Arm(%q): %v, want an error that says which", spec, err)
		}
	}
}

// The crash suite goes through All: a point it lacks is never tried.
func TestAllHasEveryPointOnce(t *testing.T) {
	t.Parallel()
	declared := points(t)
	all := failpoint.All()
	slices.Sort(declared)
	slices.Sort(all)
	if !slices.Equal(all, declared) {
		t.Errorf("All = %v\ndeclared = %v", all, declared)
	}
	if len(slices.Compact(all)) != len(declared) {
		t.Error("two points have the same name")
	}
}

// points reads the declared constants from the source.
func points(t *testing.T) []failpoint.Point {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "points.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var found []failpoint.Point
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for _, v := range spec.Values {
			lit, ok := v.(*ast.BasicLit)
			if !ok {
				continue
			}
			name, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, failpoint.Point(name))
		}
		return true
	})
	return found
}
