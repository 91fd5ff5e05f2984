package match_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
	"github.com/landwaiter/landwaiter/services/worker/internal/advisory/version"
)

// judge is a program that orders versions by the rules of its ecosystem: the
// package manager itself, or the library it is made of. It reads pairs, a line
// each, and writes "<", "=" or ">" for each, or "?" where it takes one of them
// for no version.
type judge struct {
	scheme   version.Scheme
	families []string
	command  []string
	some     string // versions to begin with where no advisories are given
	endings  string
}

func judges() []judge {
	const perl = `use Dpkg::Version; while (<>) { my ($a, $b) = split; my ($v, $w) = (Dpkg::Version->new($a), Dpkg::Version->new($b));
		print $v->is_valid && $w->is_valid ? ("<", "=", ">")[version_compare($a, $b) + 1] : "?", "\n" }`
	const lua = `%{lua: for line in io.lines("/dev/stdin") do local a, b = line:match("(%S+) (%S+)")
		local n = rpm.vercmp(a, b) io.write(n < 0 and "<" or n > 0 and ">" or "=", "\n") end}`
	const ruby = `STDIN.each_line { |l| a, b = l.split; puts [a, b].all? { |v| Gem::Version.correct?(v) } ?
		{-1 => "<", 0 => "=", 1 => ">"}[Gem::Version.new(a) <=> Gem::Version.new(b)] : "?" }`
	const python = `
import sys
from packaging.version import Version, InvalidVersion
for line in sys.stdin:
    try:
        a, b = map(Version, line.split())
        print("<" if a < b else ">" if a > b else "=")
    except InvalidVersion:
        print("?")
`
	return []judge{
		{
			"Debian",
			[]string{"Debian", "Ubuntu"},
			[]string{"perl", "-e", perl},
			"1.0 1:1.0-1 1.0-1~deb12u1 2.36-9+deb12u4 1.2.3-0ubuntu0.1 20240203-1 1.0~rc1-1", "~ ~1 +b1 .0 -1 a ~bpo12+1 +dfsg-1 -0 .1~",
		},
		{
			"Red Hat",
			[]string{"AlmaLinux", "Rocky Linux", "Red Hat", "SUSE", "Mageia"},
			[]string{"rpm", "--eval", lua},
			"1.0-1 1:1.0-1.el9 3.3.1-2.module+el9.4.0+20787+4c237fd3 1.0~rc1-1 4.18.0-425.10.1.el8_7", "~ ~rc1 ^ ^git1 .0 _1 a .1~ 0 .",
		},
		{"RubyGems", []string{"RubyGems"}, []string{"ruby", "-e", ruby}, "1.0 1.0.0 2.3.4.rc1 1.0.a 10.2 1.0.0.pre2", ".0 .1 .pre .rc1 .a -1 .b2 0"},
		{"PyPI", []string{"PyPI"}, []string{"/usr/bin/python3", "-c", python}, "1.0 1!2.0 1.0rc1 1.0.post1 2024.1 1.0.dev3 1.0+local.1", ".0 .dev1 rc1 .post2 +l.1 a1 -1 .1 b"},
	}
}

// pairs is how many pairs of versions each judge is asked for.
const pairs = 5000

// TestOrderAgreesWithTheEcosystemsThemselves compares versions of advisories,
// and what little changes make of them, with the programs whose versions they
// are.
func TestOrderAgreesWithTheEcosystemsThemselves(t *testing.T) {
	known := map[string][]string{}
	if dir := cmp.Or(os.Getenv("LANDWAITER_OSV"), os.Getenv("LANDWAITER_ADVISORIES")); dir != "" {
		for _, p := range borders(rawRecordsOf(t, dir)) {
			known[advisory.Family(p.Ecosystem)] = append(known[advisory.Family(p.Ecosystem)], p.Version)
		}
	}
	for _, j := range judges() {
		t.Run(j.families[0], func(t *testing.T) {
			versions := strings.Fields(j.some)
			for _, family := range j.families {
				versions = append(versions, known[family]...)
			}
			lines := drawPairs(versions, strings.Fields(j.endings))
			for i, want := range j.ask(t, lines) {
				a, b, _ := strings.Cut(lines[i], " ")
				if got := ordered(j.scheme, a, b); want != "?" && got != want {
					t.Errorf("%s %s %s, by the program %s", a, got, b, want)
				}
			}
		})
	}
}

// ask runs the judge; a test without it is skipped.
func (j judge) ask(t *testing.T, lines []string) []string {
	t.Helper()
	if _, err := exec.LookPath(j.command[0]); err != nil {
		t.Skipf("%s is not installed", j.command[0])
	}
	cmd := exec.CommandContext(t.Context(), j.command[0], j.command[1:]...)
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("%s does not run: %v", j.command[0], err)
	}
	answers := strings.Fields(string(out))
	if len(answers) != len(lines) {
		t.Fatalf("%s answered %d of %d", j.command[0], len(answers), len(lines))
	}
	judged := map[string]int{}
	for _, a := range answers {
		judged[a]++
	}
	t.Logf("%v", judged)
	if judged["<"] < len(lines)/10 || judged["="] == 0 {
		t.Errorf("%v: too few to mean anything", judged)
	}
	return answers
}

func ordered(scheme version.Scheme, a, b string) string {
	va, errA := version.Parse(scheme, a)
	vb, errB := version.Parse(scheme, b)
	if errA != nil || errB != nil {
		return fmt.Sprintf("not comparable (%v, %v)", errA, errB)
	}
	order, err := va.Compare(vb)
	if err != nil {
		return err.Error()
	}
	return map[int]string{-1: "<", 0: "=", 1: ">"}[cmp.Compare(order, 0)]
}

// drawPairs draws pairs of versions, half of them of one version and what a
// change made of it.
func drawPairs(versions, endings []string) []string {
	random := rand.New(rand.NewPCG(3, 4))
	versions = slices.DeleteFunc(versions, func(v string) bool { return v == "0" || strings.ContainsAny(v, " \t") })
	drawn := map[string]bool{}
	for range 50 * pairs {
		i := random.IntN(len(versions))
		a, b := versions[i], versions[random.IntN(len(versions))]
		switch random.IntN(4) {
		case 0:
			b = versions[min(len(versions)-1, i+random.IntN(4))]
		case 1:
			b = a + endings[random.IntN(len(endings))]
		case 2:
			cut := random.IntN(len(a))
			b = a[:cut] + endings[random.IntN(len(endings))] + a[cut:]
		}
		if random.IntN(2) == 0 {
			a, b = b, a
		}
		if drawn[a+" "+b] = true; len(drawn) == pairs {
			break
		}
	}
	return slices.Sorted(maps.Keys(drawn))
}
