package source

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/events"
)

func TestAlibaba(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		want       gist
	}{
		{"push", `{"push_data":{"tag":"1","digest":"` + digestA + `"},"repository":{"repo_full_name":"Team/Web"}}`, gist{events.ImagePushed, events.ClassUnknown, "team/web:1@", ""}},
		{"name in parts", `{"push_data":{"tag":"1"},"repository":{"namespace":"team","name":"webShop"}}`, gist{events.ImagePushed, events.ClassUnknown, "team/webshop:1", ""}},
		{"signature", `{"push_data":{"tag":"sha256-` + hexA + `.att"},"repository":{"repo_full_name":"a/b"}}`, gist{events.RegistryOther, events.ClassSignature, "a/b:sha256-" + hexA + ".att", ""}},
		{"no tag is not latest", `{"push_data":{},"repository":{"repo_full_name":"a/b"}}`, gist{events.RepositoryUpdated, "", "a/b", ""}},
		{"members of a wrong type", `{"push_data":{"tag":"1","digest":7,"pushed_at":[]},"repository":{"repo_full_name":"a/b","name":{}}}`, gist{events.ImagePushed, events.ClassUnknown, "a/b:1", ""}},
		{"no repository", `{"push_data":{"tag":"1"}}`, gist{Reason: NoRepository}},
		{"name without namespace", `{"push_data":{"tag":"1"},"repository":{"name":"a"}}`, gist{Reason: NoRepository}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := one(t, Alibaba{}, nil, []byte(tt.body))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAlibabaFields(t *testing.T) {
	parse := func(tag, digest, at string) Fact {
		t.Helper()
		_, b := one(t, Alibaba{}, nil, []byte(`{"push_data":{"tag":"`+tag+`","digest":"`+digest+`","pushed_at":"`+at+`"},"repository":{"repo_full_name":"a/b"}}`))
		return b.Facts[0]
	}
	first := parse("1", digestA, "2026-10-01 18:00:00")
	if want := time.Date(2026, 10, 1, 10, 0, 0, 0, time.UTC); !first.OccurredAt.Equal(want) || first.DeliveryID != "" {
		t.Errorf("pushed at %s with id %q, want %s and none", first.OccurredAt, first.DeliveryID, want)
	}
	if again := parse("1", digestA, "2026-10-01 18:00:00"); first.ID == "" || again.ID != first.ID {
		t.Errorf("one push has ids %q and %q", first.ID, again.ID)
	}
	for name, other := range map[string]Fact{
		"later": parse("1", digestA, "2026-10-01 18:00:01"), "another tag": parse("2", digestA, "2026-10-01 18:00:00"),
	} {
		if other.ID == first.ID {
			t.Errorf("%s: has the same id", name)
		}
	}
	// A tag that moved within the second must not be taken for a repetition.
	if id := parse("1", "", "2026-10-01 18:00:00").ID; id != "" {
		t.Errorf("push without digest has id %q, want none", id)
	}
}

func TestAlibabaNotAPayload(t *testing.T) {
	for _, body := range []string{"", "[]", "7", `"x"`, "payload=%7B%7D"} {
		if b, err := (Alibaba{}).Parse(nil, []byte(body), time.Now()); err == nil {
			t.Errorf("body %q: %v, no error", body, b)
		}
	}
}

func FuzzAlibaba(f *testing.F) {
	f.Add([]byte(`{"push_data":{"tag":"1","digest":"` + digestA + `","pushed_at":"2026-10-01 18:00:00"},"repository":{"repo_full_name":"a/b"}}`))
	f.Fuzz(func(t *testing.T, body []byte) { checkValid(t, Alibaba{}, body) })
}
