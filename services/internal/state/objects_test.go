package state_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/natstest"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

const object = failpoint.ScanReport

func TestObjectIsStoredOnceUnderItsDigest(t *testing.T) {
	_, st := start(t)
	ctx := t.Context()
	if list, err := st.Reports.List(ctx); err != nil || len(list) != 0 {
		t.Fatalf("List of nothing = %v, %v", list, err)
	}
	content := []byte(`{"a": "report"}`)
	d, err := st.Reports.Put(ctx, object, content)
	if err != nil || d != state.DigestOf(content) {
		t.Fatalf("Put = %s, %v", d, err)
	}
	first, err := st.Reports.List(ctx)
	if err != nil || len(first) != 1 {
		t.Fatalf("List = %v, %v", first, err)
	}
	if _, err := st.Reports.Put(ctx, object, content); err != nil {
		t.Fatal(err)
	}
	second, err := st.Reports.List(ctx)
	if err != nil || len(second) != 1 || second[0] != first[0] {
		t.Errorf("List = %v, %v; want %v", second, err, first)
	}
	if s := second[0]; s.Digest != d || s.Size != uint64(len(content)) || s.At.IsZero() {
		t.Errorf("listed as %+v", s)
	}
	got, err := st.Reports.Get(ctx, d, int64(len(content)))
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("Get = %q, %v", got, err)
	}
}

func TestRemovedObjectIsGoneAndCanComeBack(t *testing.T) {
	_, st := start(t)
	ctx := t.Context()
	d, err := st.Reports.Put(ctx, object, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // removing what is gone is no error
		if err := st.Reports.Remove(ctx, failpoint.KeeperObject, d, time.Now()); err != nil {
			t.Errorf("Remove: %v", err)
		}
	}
	if _, err := st.Reports.Get(ctx, d, 10); !errors.Is(err, state.ErrNotFound) {
		t.Errorf("Get of a removed object: %v", err)
	}
	if list, err := st.Reports.List(ctx); err != nil || len(list) != 0 {
		t.Errorf("List = %v, %v; want none", list, err)
	}
	if _, err := st.Reports.Put(ctx, object, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if got, err := st.Reports.Get(ctx, d, 10); err != nil || string(got) != "x" {
		t.Errorf("Get = %q, %v", got, err)
	}
}

func TestObjectIsVerified(t *testing.T) {
	_, st := start(t)
	ctx := t.Context()
	wrong := state.DigestOf([]byte("something else"))
	if err := st.Reports.PutStream(ctx, object, wrong, strings.NewReader("content")); err != nil {
		t.Fatal(err)
	}
	if _, err := st.Reports.Get(ctx, wrong, 100); err == nil {
		t.Error("Get of content with another digest returned no error")
	}
	d, err := st.Reports.Put(ctx, object, []byte("0123456789"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Reports.Get(ctx, d, 9); err == nil {
		t.Error("Get over its limit returned no error")
	}
	if _, err := st.Reports.Get(ctx, state.DigestOf([]byte("never stored")), 9); !errors.Is(err, state.ErrNotFound) {
		t.Errorf("Get of nothing: %v", err)
	}
}

func TestObjectsOfOtherNamesAreNotListed(t *testing.T) {
	t.Parallel()
	b := natstest.Bus(t, natstest.Start(t), "one")
	st, ctx := open(t, b), t.Context()
	raw, err := b.JetStream().ObjectStore(ctx, b.Topology().Bucket("reports"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := raw.PutBytes(ctx, "readme", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if list, err := st.Reports.List(ctx); err != nil || len(list) != 0 {
		t.Errorf("List = %v, %v; want none", list, err)
	}
}

func TestFailedStreamLeavesNothing(t *testing.T) {
	_, st := start(t)
	d := state.DigestOf([]byte("whole"))
	broken := errors.New("connection reset")
	err := st.Reports.PutStream(t.Context(), object, d, io.MultiReader(strings.NewReader("who"), failing{broken}))
	if !errors.Is(err, broken) {
		t.Errorf("PutStream = %v, want the reader's error", err)
	}
	if _, err := st.Reports.Get(t.Context(), d, 10); !errors.Is(err, state.ErrNotFound) {
		t.Errorf("Get = %v, want nothing there", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestLargeObject(t *testing.T) {
	srv, st := start(t)
	content := make([]byte, 20<<20)
	if _, err := rand.NewChaCha8([32]byte{1}).Read(content); err != nil {
		t.Fatal(err)
	}
	d := state.DigestOf(content)
	if err := st.Advisories.PutStream(t.Context(), failpoint.AdvisoryObject, d, bytes.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	got, err := st.Advisories.Get(t.Context(), d, int64(len(content)))
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("Get: %d bytes, %v", len(got), err)
	}
	srv.Stop()
	if _, err := st.Advisories.List(t.Context()); err == nil {
		t.Error("List without a broker returned no error")
	}
	if _, err := st.Advisories.Get(t.Context(), d, 1); err == nil || errors.Is(err, state.ErrNotFound) {
		t.Errorf("Get without a broker: %v, want an error that is not ErrNotFound", err)
	}
	var none events.Digest
	if _, err := st.Advisories.Open(t.Context(), none); err == nil {
		t.Error("Open of no digest returned no error")
	}
}

// A reader whose caller gives up in the middle must not wait for the transfer's
// own limit, which is minutes.
func TestReadingEndsWithItsContext(t *testing.T) {
	_, s := start(t)
	content := make([]byte, 8<<20)
	d, err := s.Inventories.Put(t.Context(), failpoint.ScanInventory, content)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 40 {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = s.Inventories.Get(ctx, d, 16<<20) // whole, or cut off: both are fine
		}()
		time.AfterFunc(time.Duration(n)*250*time.Microsecond, cancel) // somewhere on the way
		select {
		case <-ended:
		case <-time.After(30 * time.Second):
			t.Fatal("still reading")
		}
		cancel()
	}
}
