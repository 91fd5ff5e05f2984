package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/test/harness"
)

// retention is the one of short.
const retention = 3 * time.Second

// short makes a retention end within the test.
func short() options {
	return options{
		redis: true,
		rule:  "    retention: 3s\n",
		env:   []string{"LANDWAITER_CHECK_EVERY=1s", "LANDWAITER_COLLECT_EVERY=5s", "LANDWAITER_LEASE=2s"},
	}
}

// What is deleted at the registry goes from Redis with all its index entries;
// what is present stays for many retentions; what cannot be reached stays for
// its retention and no less.
func TestRetention(t *testing.T) {
	in := install(t, short())
	keep := harness.Debian(t, packages...).Image(t)
	kept := in.registry.Push(t, "team/kept:1", keep).String()
	gone := in.registry.Push(t, "team/gone:1", harness.Append(t, keep, harness.Files(t, map[string]string{"a": "a"}), "COPY a")).String()
	in.reported(kept, 6)
	in.reported(gone, 6)
	in.registry.Delete(t, "team/gone@"+gone)
	harness.WaitFor(t, soon, "the deleted image to vanish from Redis", func(ctx context.Context) error {
		return in.unmentioned(ctx, strings.TrimPrefix(gone, "sha256:"), "team/gone")
	}, in.up)
	if err := in.get(t.Context(), "/api/v1/reports/"+gone, &report{}); !isStatus(err, http.StatusNotFound) {
		t.Errorf("report of the deleted image: %v", err)
	}
	in.outlives(kept, 5*retention)
	r := in.reported(kept, 6)
	if len(r.Findings) == 0 {
		t.Error("the present image lost its findings")
	}

	t.Run("an emptied Redis is rebuilt from the state", func(t *testing.T) {
		if err := in.redis.Client(t).FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		if res := in.command("rebuild"); res.Code != 0 {
			t.Fatalf("landwaiter rebuild: code %d\n%s%s", res.Code, res.Stdout, res.Stderr)
		}
		if again := in.reported(kept, 6); len(again.Findings) != len(r.Findings) {
			t.Errorf("%d findings after the rebuild, %d before", len(again.Findings), len(r.Findings))
		}
	})

	t.Run("an unreachable registry starts the retention and ends nothing before it", func(t *testing.T) {
		in.registry.Stop()
		var since time.Time
		harness.WaitFor(t, soon, "the image to expire", func(ctx context.Context) error {
			list, err := in.images(ctx)
			if err != nil {
				return err
			}
			for _, img := range list {
				if img.Digest == kept {
					since = img.MissingSince
					return errors.New("still listed")
				}
			}
			return nil
		}, in.up)
		if since.IsZero() {
			t.Fatal("the image vanished without having been missing first")
		}
		if kept := time.Since(since); kept < retention {
			t.Errorf("the image vanished %v after it was missed, its retention is %v", kept, retention)
		}
	})
}

// outlives waits for that long and until the registry was asked for the image
// several times, which is present; it fails when the image is missed, or gone,
// in between.
func (in *installation) outlives(digest string, age time.Duration) {
	in.t.Helper()
	const looks = 5 // of those that are due every second, on a busy machine
	begun, before := time.Now(), in.looks(digest)
	var lost error
	harness.WaitFor(in.t, soon, "the present image to outlive its retention", func(ctx context.Context) error {
		list, err := in.images(ctx)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(list, func(img listed) bool { return img.Digest == digest })
		if i < 0 || !list[i].MissingSince.IsZero() {
			lost = fmt.Errorf("the present image is missed: %+v", list)
			return nil
		}
		if since := time.Since(begun); since < age {
			return fmt.Errorf("present for %v so far", since)
		}
		if n := in.looks(digest) - before; n < looks {
			return fmt.Errorf("the registry was asked for it %d times", n)
		}
		return nil
	}, in.up)
	if lost != nil {
		in.t.Error(lost)
	}
}

// looks counts how often landwaiter asked the registry whether it has an image.
func (in *installation) looks(digest string) int {
	in.t.Helper()
	n := 0
	for _, r := range in.registry.Requests(in.t) {
		if strings.HasPrefix(r.Agent, "landwaiter") && strings.HasSuffix(r.Path, "/manifests/"+digest) && r.Status == http.StatusOK {
			n++
		}
	}
	return n
}

// unmentioned is an error while any key, member or value of Redis names one of
// the words.
func (in *installation) unmentioned(ctx context.Context, words ...string) error {
	client := in.redis.Client(in.t)
	keys := client.Scan(ctx, 0, "*", 1000).Iterator()
	for keys.Next(ctx) {
		key := keys.Val()
		content := key
		switch client.Type(ctx, key).Val() {
		case "string":
			content += client.Get(ctx, key).Val()
		case "zset":
			content += strings.Join(client.ZRange(ctx, key, 0, -1).Val(), " ")
		case "set":
			content += strings.Join(client.SMembers(ctx, key).Val(), " ")
		case "hash":
			content += fmt.Sprint(client.HGetAll(ctx, key).Val())
		}
		for _, w := range words {
			if strings.Contains(content, w) {
				return fmt.Errorf("key %s still mentions %s", key, w)
			}
		}
	}
	return keys.Err()
}

func isStatus(err error, code int) bool {
	var a *answer
	return errors.As(err, &a) && a.code == code
}
