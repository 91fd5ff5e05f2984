package worker

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/assess"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// stock is a set of images whose inventories are stored and that nobody need
// ever pull again.
type stock struct {
	*rig

	images []events.Digest
	of     func(i int) inventory.Image // what is in an image
	writes [4]atomic.Int64
}

// What is counted while verdicts are made again.
const (
	reportsWritten = iota
	verdictsMade   // image records written because a verdict was made
	verdictsKept   // image records that only note that the verdict holds
	eventsTold
)

// names is how many different packages there are in all images.
const names = 1000

func newStock(tb testing.TB, images int, of func(i int) inventory.Image) *stock {
	tb.Helper()
	s := &stock{rig: newRig(tb), images: make([]events.Digest, images), of: of}
	var group errgroup.Group
	group.SetLimit(32)
	for i := range images {
		group.Go(func() error { return s.add(i) })
	}
	if err := group.Wait(); err != nil {
		tb.Fatal(err)
	}
	return s
}

// add stores an image as a scan leaves it that had no database.
func (s *stock) add(i int) error {
	ctx, now := s.t.Context(), time.Now().UTC()
	d := state.DigestOf([]byte("image " + strconv.Itoa(i)))
	s.images[i] = d
	raw, err := s.of(i).Encode()
	if err != nil {
		return err
	}
	object, err := s.state.Inventories.Put(ctx, failpoint.ScanInventory, raw)
	if err != nil {
		return err
	}
	platform := events.Platform{OS: "linux", Architecture: "amd64"}
	_, err = s.state.Images.Create(ctx, failpoint.PlanImage, d.Token(), state.Image{
		Digest: d, MediaType: "application/vnd.oci.image.manifest.v1+json", Platform: platform,
		Engine: "e", Inventory: object, ScannedAt: now, Status: verdict.Scanned, Generation: 1,
	})
	if err != nil {
		return err
	}
	repository := "team/app" + strconv.Itoa(i%100)
	_, err = s.state.Places.Create(ctx, failpoint.PlanPlace, state.PlaceKey(d, registryName, repository), state.Place{
		Registry: registryName, Host: s.registry.host, Repository: repository, Digest: d, Platform: platform,
		Tags: map[string]time.Time{strconv.Itoa(i): now}, FirstSeen: now, LastSeen: now, CheckedAt: now,
		Retention: config.Duration(24 * time.Hour), CheckEvery: config.Duration(24 * time.Hour),
	})
	return err
}

// mixed is a Debian with packages that differ from image to image, and bash,
// which all have.
func mixed(packages int) func(i int) inventory.Image {
	return func(i int) inventory.Image {
		random := rand.New(rand.NewPCG(uint64(i), 1))
		img := inventory.Image{
			Engine: "e", OS: verdict.OS{ID: "debian", Version: "12", Name: "Debian GNU/Linux 12"}, Notes: []verdict.Note{},
			Layers: []verdict.Layer{{Digest: string(state.DigestOf([]byte(strconv.Itoa(i)))), CreatedBy: "RUN apt-get install"}},
		}
		img.Packages = append(img.Packages, deb("bash", i%10, 0))
		from := random.IntN(names)
		for n := range packages - 1 {
			img.Packages = append(img.Packages, deb(fmt.Sprintf("lib%04d", (from+7*n)%names), random.IntN(10), 0))
		}
		return img
	}
}

// deb is a package of Debian 12.
func deb(name string, version, layer int) inventory.Package {
	v := fmt.Sprintf("1:1.%d-1", version)
	return inventory.Package{
		Type: "deb", Name: name, Version: v, Arch: "amd64", Source: verdict.Source{Name: name, Version: v}, Evidence: inventory.Record,
		Vendor: "Debian <d@debian.org>", Location: "var/lib/dpkg/status", Ecosystem: "Debian:12", Layer: layer,
		PURL: "pkg:deb/debian/" + name + "@1%3A1." + strconv.Itoa(version) + "-1?arch=amd64&distro=debian-12",
	}
}

// flaws are advisories on every third package, each fixed in some version.
func flaws(seed uint64) []flaw {
	random := rand.New(rand.NewPCG(seed, 2))
	var list []flaw
	for n := 0; n < names; n += 3 {
		list = append(list, flaw{fmt.Sprintf("CVE-2026-%04d", n), fmt.Sprintf("lib%04d", n), fmt.Sprintf("1:1.%d-1", random.IntN(10))})
	}
	return list
}

// counted runs a worker that counts what it writes.
func (s *stock) counted(keeperEvery time.Duration) {
	s.work(func(c *Config) {
		c.Slots, c.KeeperEvery = 8, keeperEvery
		c.Bus.Fail = func(p failpoint.Point, m failpoint.Moment) {
			if m != failpoint.After {
				return
			}
			switch p {
			case failpoint.RematchReport:
				s.writes[reportsWritten].Add(1)
			case failpoint.RematchImage:
				s.writes[verdictsMade].Add(1)
			case failpoint.RematchAdvance:
				s.writes[verdictsKept].Add(1)
			case failpoint.RematchCompleted, failpoint.FindingsPublish:
				s.writes[eventsTold].Add(1)
			default:
			}
		}
	})
}

// taken is what was counted since the last time.
func (s *stock) taken() (counts [4]int64) {
	for i := range s.writes {
		counts[i] = s.writes[i].Swap(0)
	}
	return counts
}

// renewed waits until every verdict is of a database, and told of.
func (s *stock) renewed(version string) {
	s.t.Helper()
	const patience = 20 * time.Minute
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for at := 0; at < len(s.images); { // each needs to be looked at only until it is right
		rec, err := s.state.Images.Get(ctx, s.images[at].Token())
		if err == nil && rec.Value.Database == version && rec.Value.Announced == rec.Value.Report {
			at++
			continue
		}
		select {
		case <-ctx.Done():
			s.t.Fatalf("image %d of %d is behind: %+v, %v", at, len(s.images), rec.Value, err)
		case <-tick.C:
		}
	}
}

// evaluated makes the verdicts anew, each from its inventory and all of the
// database.
func (s *stock) evaluated() map[events.Digest]events.Digest {
	s.t.Helper()
	databases := &assess.Databases{State: s.state, Dir: s.t.TempDir(), Log: zap.NewNop()}
	ctx, cancel := context.WithCancel(s.t.Context())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- databases.Follow(ctx, func() { close(ready) }, func() {}) }()
	<-ready
	verdicts := map[events.Digest]events.Digest{}
	for i, d := range s.images {
		img := s.image(d)
		v, err := databases.Make(assess.Subject{Digest: d, Platform: img.Platform, Inventory: img.Inventory}, s.of(i))
		if err != nil {
			s.t.Fatal(err)
		}
		verdicts[d] = v.Object
	}
	cancel()
	if err := <-done; err != nil {
		s.t.Fatal(err)
	}
	if err := databases.Close(); err != nil {
		s.t.Fatal(err)
	}
	return verdicts
}

// However much a new database changes: each image's verdict is that of a full
// evaluation, and only those that are others are made, written and told of.
func TestRenewalEqualsFullEvaluation(t *testing.T) {
	t.Parallel()
	s := newStock(t, 60, mixed(30))
	s.counted(100 * time.Millisecond)
	before := map[events.Digest]events.Digest{}
	first := flaws(1)
	some := append([]flaw(nil), first...)
	some[5].fixed, some[100].fixed, some[200] = "1:2-1", "1:0-1", flaw{"CVE-2026-9999", "lib0003", "1:1.5-1"}
	for i, list := range [][]flaw{
		first,
		some, // a few statements are others
		append(some, flaw{"CVE-2026-8888", "bash", "1:1.5-1"}), // every image has it, half of them are affected
		flaws(2), // nearly all are others
		append(flaws(2), flaw{"CVE-2026-7777", "nobody-has-it", "1:1.5-1"}),
		first[:1],
	} {
		s.renewed(s.database(known(t, list...)))
		s.idle()
		want := s.evaluated()
		changed := int64(0)
		for d, report := range want {
			if got := s.image(d).Report; got != report {
				t.Errorf("database %d: the verdict of %s is %s, evaluated in full %s", i, d, got, report)
			}
			if before[d] != report {
				changed++
			}
		}
		counts := s.taken()
		if counts[reportsWritten] != changed || counts[eventsTold] != 2*changed {
			t.Errorf("database %d: %d verdicts are others, %d reports were written and %d events published", i, changed, counts[reportsWritten], counts[eventsTold])
		}
		if i > 0 && (counts[verdictsMade] != changed || counts[verdictsKept] != int64(len(s.images))-changed) {
			t.Errorf("database %d: %d verdicts were made again and %d kept, of %d images, %d of which have others",
				i, counts[verdictsMade], counts[verdictsKept], len(s.images), changed)
		}
		before = want
	}
}
