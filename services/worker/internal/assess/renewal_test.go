package assess_test

import (
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
	"github.com/landwaiter/landwaiter/services/worker/internal/assess"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
	"github.com/landwaiter/landwaiter/services/worker/internal/match"
)

// holding is an image of Debian 12 with a zlib of each version.
func (r *rig) holding(versions ...string) state.Image {
	r.t.Helper()
	var inv inventory.Image
	for _, v := range versions {
		inv.Packages = append(inv.Packages, inventory.Package{Type: "deb", Name: "zlib", Version: v, Ecosystem: "Debian:12"})
	}
	raw, err := inv.Encode()
	if err != nil {
		r.t.Fatal(err)
	}
	object, err := r.state.Inventories.Put(r.t.Context(), failpoint.ScanInventory, raw)
	if err != nil {
		r.t.Fatal(err)
	}
	return state.Image{Inventory: object, Keys: match.Keys(inv).Pack()}
}

// lose removes an image's inventory.
func (r *rig) lose(img state.Image) state.Image {
	r.t.Helper()
	if err := r.state.Inventories.Remove(r.t.Context(), failpoint.KeeperObject, img.Inventory, time.Now().Add(time.Hour)); err != nil {
		r.t.Fatal(err)
	}
	return img
}

func TestRenewal(t *testing.T) {
	r := start(t)
	r.put("DEBIAN-CVE-2026-0001")
	changed, _ := r.follow()
	r.receive(changed, "first database")
	current := r.put("DEBIAN-CVE-2026-0002") // fixed in the same version: 1.3
	r.receive(changed, "second database")
	inventories, err := inventory.NewDecoder(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	renewal := assess.Renewal{State: r.state, Databases: r.databases, Inventories: inventories, Log: zap.NewNop()}
	defer renewal.Close()
	zlib := advisory.NewKeys([]uint32{advisory.Key("Debian", "zlib")})
	other := advisory.NewKeys([]uint32{advisory.Key("Debian", "bash")})
	keysAlone := r.holding("1:1.5")
	keysAlone.Keys = zlib.Pack()
	foreign := r.holding("1:1.6")
	foreign.Inventory = r.holding("1:1.7").Inventory
	older := current
	older.Before = "another"
	for _, tt := range []struct {
		name    string
		img     state.Image
		current state.Database
		changed advisory.Keys
		want    bool
	}{
		{"nothing of it is concerned", r.lose(r.holding("1:1.2")), current, other, true},
		{"not affected by either", r.holding("1.4"), current, zlib, true},
		{"asked before", r.lose(r.holding("1.4")), current, zlib, true},
		{"affected by both, by another flaw", r.holding("1.2"), current, zlib, false},
		{"one of two is", r.holding("1.2", "1.4"), current, zlib, false},
		{"as every older record", keysAlone, current, zlib, false},
		{"nor is that concerned", keysAlone, current, other, true},
		{"inventory is gone", r.lose(r.holding("1.8")), current, zlib, false},
		{"inventory is another", foreign, current, zlib, false},
		{"not of these databases", r.holding("1.4"), older, zlib, false},
	} {
		if got := renewal.Holds(t.Context(), tt.current, tt.img, tt.changed); got != tt.want {
			t.Errorf("%s: holds %t, want %t", tt.name, got, tt.want)
		}
	}
	renewal.End(current.Version)
	if renewal.Holds(t.Context(), current, r.holding("1.9"), zlib) {
		t.Error("compared with a database that is not here any more")
	}
}
