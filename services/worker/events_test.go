package worker

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/schemas"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// valid checks the data of every result against its schema.
func (r *rig) valid() {
	r.t.Helper()
	for _, e := range r.stored(events.Results) {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(r.bus.Topology().Encode(e).Data))
		if err == nil {
			err = schema(r.t, e.Kind().SchemaFile()).Validate(doc)
		}
		if err != nil {
			r.t.Errorf("%s: %v", e.Kind(), err)
		}
	}
}

func schema(tb testing.TB, name string) *jsonschema.Schema {
	tb.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for _, file := range []string{name, "values.json"} {
		source, err := schemas.Read(file)
		if err != nil {
			tb.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(source))
		if err == nil {
			err = c.AddResource(schemas.Base+file, doc)
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	s, err := c.Compile(schemas.Base + name)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func kinds(all []events.Event) []events.Kind {
	list := make([]events.Kind, 0, len(all))
	for _, e := range all {
		list = append(list, e.Kind())
	}
	return list
}

func TestAScanIsToldStepByStep(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.database(advisories(t, "CVE-2026-0001", "1:1.3-1"))
	r.work(nil)
	img := image(t, zlib(t, "1:1.2.13-1"))
	d := r.scanned("team/app", "1.0", img)
	r.idle()
	want := []events.Kind{
		events.ImageChanged, events.ScanQueued, events.ScanStarted, events.ScanInventoried, events.KindCompleted, events.KindFindings,
	}
	got := slices.DeleteFunc(kinds(r.stored(events.Results)), func(k events.Kind) bool { return k == events.KindAdvisories })
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	done, ok := r.told(events.KindCompleted)[0].Data().(events.ScanCompleted)
	if !ok || done.Image.Digest != d || done.Summary.Total != 1 || done.Status != 6 || !done.Completeness.Complete ||
		done.Report != r.image(d).Report || !slices.Equal(done.Rules, []string{"all"}) {
		t.Errorf("completed with %+v", done)
	}
	// The same image elsewhere: known, told of as a place.
	r.push("team/copy:1.0", img)
	r.pushed("team/copy", "1.0", d)
	r.idle()
	if n := len(r.told(events.KindCompleted)); n != 1 {
		t.Errorf("completed is told %d times", n)
	}
	changed := r.told(events.ImageChanged)
	if last, ok := changed[len(changed)-1].Data().(events.ImageEvent); !ok || last.Image.Repository != "team/copy" {
		t.Errorf("last place is %+v", last)
	}
	r.valid()
}

func TestCompletedIsToldAtEveryPlace(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(nil)
	layer := zlib(t, "1:1.2.13-1")
	hold := r.registry.hold("/blobs/", string(digestOf(t, layer)))
	img := image(t, layer)
	for _, repository := range []string{"team/a", "team/b"} {
		d := r.push(repository+":1", img)
		r.pushed(repository, "1", d)
		r.until("the place is known", func(context.Context) error {
			_, err := r.place(repository, d)
			return err
		})
	}
	hold.release()
	r.jobEnds(digestOf(t, img), state.JobDone)
	r.idle()
	var where []string
	for _, e := range r.told(events.KindCompleted) {
		if done, ok := e.Data().(events.ScanCompleted); ok {
			where = append(where, done.Image.Repository)
		}
	}
	if slices.Sort(where); !slices.Equal(where, []string{"team/a", "team/b"}) {
		t.Errorf("told at %v", where)
	}
}

// deleted publishes the fact of a deletion.
func (r *rig) deleted(repository string, d events.Digest) {
	r.t.Helper()
	fact := r.pushFact(repository, "", d)
	fact.Kind, fact.Action = events.ImageDeleted, events.ActionDelete
	r.publish("deleted/"+string(d), fact)
}

func TestImageGoesAndExpires(t *testing.T) {
	t.Parallel()
	r := newRig(t, config.Rule{Name: "short", Registry: registryName, Retention: seconds(1)})
	r.work(quickKeeper)
	staying := r.scanned("team/app", "2.0", image(t, zlib(t, "1:1.3-1")))
	gone := r.scanned("team/app", "1.0", image(t, zlib(t, "1:1.2.13-1")))
	doomed := r.image(gone)

	r.deleted("team/app", gone) // only a claim: the registry has it
	r.idle()
	if p, err := r.place("team/app", gone); err != nil || !p.MissingSince.IsZero() {
		t.Fatalf("believed without looking: %+v, %v", p, err)
	}
	r.registry.remove("1.0", gone)
	r.until("all of it is gone", func(ctx context.Context) error { return r.nothingLeft(ctx, gone, doomed) })
	told := r.told(events.ImageGone, events.ImageExpired)
	if got := kinds(told); !slices.Equal(got, []events.Kind{events.ImageGone, events.ImageExpired}) {
		t.Errorf("told %v", got)
	}
	for _, e := range told {
		data, ok := e.Data().(events.ImageEvent)
		if !ok || data.Image.Digest != gone || data.Reason != state.MissingGone || data.ExpiresAt.IsZero() {
			t.Errorf("%s: %+v", e.Kind(), data)
		}
	}
	if p, err := r.place("team/app", staying); err != nil || !p.MissingSince.IsZero() || r.report(staying).Status == 0 {
		t.Errorf("the one that stayed: %+v, %v", p, err)
	}
	r.valid()
}

func seconds(n int) config.Duration { return config.Duration(n) * config.Duration(1e9) }

// quickKeeper looks for images and collects what is unused all the time.
func quickKeeper(c *Config) {
	c.CheckEvery, c.CollectEvery = 200e6, 300e6
}

// nothingLeft reports what is still kept of an image.
func (r *rig) nothingLeft(ctx context.Context, d events.Digest, img state.Image) error {
	var left []string
	note := func(what string, err error) {
		if !errors.Is(err, state.ErrNotFound) {
			left = append(left, what)
		}
	}
	_, err := r.place("team/app", d)
	note("place", err)
	_, err = r.state.Images.Get(ctx, d.Token())
	note("image", err)
	_, err = r.state.Jobs.Get(ctx, d.Token())
	note("job", err)
	_, err = r.state.Reports.Get(ctx, img.Report, 1<<24)
	note("report", err)
	_, err = r.state.Inventories.Get(ctx, img.Inventory, 1<<24)
	note("inventory", err)
	if len(left) > 0 {
		return errors.New("left: " + strings.Join(left, ", "))
	}
	return nil
}
