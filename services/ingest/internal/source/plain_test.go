package source

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// usual is what CNCF Distribution sends after the push of an image.
const usual = `{"events":[{"id":"3f7e-1","timestamp":"2026-03-04T05:06:07.89Z","action":"push",
"target":{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":423,
"digest":"sha256:07d895359be280cc23ed72ad62b3f915da3dac34b09370fe4d38ed7cf42e627a",
"length":423,"repository":"team/app","url":"http://r/v2/team/app/manifests/1","tag":"1.0"},
"request":{"id":"1","addr":"127.0.0.1:4","host":"r","method":"PUT","useragent":"docker/27"},
"actor":{"name":"ada"},"source":{"addr":"r:5000","instanceID":"x","list":[true, null,0 ,{}]}}]}`

// thorough reads an envelope by encoding/json.
func thorough(body []byte) (b Batch, ok bool) {
	var envelope struct {
		Events []distributionEvent `json:"events"`
	}
	if json.Unmarshal(body, &envelope) != nil || envelope.Events == nil {
		return b, false
	}
	for _, e := range envelope.Events {
		b.add(e.fact())
	}
	return b, true
}

// checkPlain compares the two, and tells whether the envelope was plain.
func checkPlain(t *testing.T, body string) bool {
	t.Helper()
	got, ok := plainEnvelope([]byte(body))
	if !ok {
		return false
	}
	want, valid := thorough([]byte(body))
	if !valid {
		t.Fatalf("taken for an envelope: %s", body)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("read in another way (-encoding/json +plain): %s\n%s", body, diff)
	}
	return true
}

func TestUsualDeliveriesArePlain(t *testing.T) {
	for _, body := range []string{usual, `{"events":[]}`, " {\n\"events\" : [ ] , \"other\":1}\t", strings.ReplaceAll(usual, "423", "0")} {
		if !checkPlain(t, body) {
			t.Errorf("not read: %s", body)
		}
	}
}

func TestOddDeliveriesAreNotPlain(t *testing.T) {
	for name, change := range map[string][2]string{
		"no events":        {`"events"`, `"event"`},
		"another case":     {`"tag"`, `"Tag"`},
		"twice":            {`"tag":"1.0"`, `"tag":"1.0","tag":"2.0"`},
		"escape":           {"1.0", `1\u002e0`},
		"control":          {"1.0", "1\n0"},
		"beyond ASCII":     {"ada", "adä"},
		"not UTF-8":        {"ada", "ad\xff"},
		"null":             {`"1.0"`, `null`},
		"event of null":    {`{"id"`, `null,{"id"`},
		"number for text":  {`"1.0"`, `1`},
		"text for object":  {`{"name":"ada"}`, `"ada"`},
		"leading zero":     {"423", "0423"},
		"fraction":         {"423", "4.23"},
		"no word":          {"true", "truth"},
		"nothing":          {"true", ""},
		"comma too many":   {"null,", "null,,"},
		"comma at the end": {"{}]", "{},]"},
		"no comma":         {"true, ", "true "},
		"no colon":         {`"name":`, `"name"`},
		"not closed":       {"}]}", "}]"},
		"another bracket":  {"}]}", "}}}"},
		"more behind":      {"}]}", "}]}{}"},
		"references":       {`"tag"`, `"references":[],"tag"`},
		"deep":             {"{}", strings.Repeat("[", 200) + strings.Repeat("]", 200)},
		"large":            {"ada", strings.Repeat("a", 16<<10)},
	} {
		body := strings.Replace(usual, change[0], change[1], 1)
		if body == usual {
			t.Fatalf("%s: nothing changed", name)
		}
		if _, ok := plainEnvelope([]byte(body)); ok {
			t.Errorf("%s: taken for plain: %s", name, body)
		}
	}
}

// Whatever stands at whichever place, the two read it alike.
func TestPlainReadsAlike(t *testing.T) {
	for i := range len(usual) {
		checkPlain(t, usual[:i])
		checkPlain(t, usual[:i]+usual[i+1:])
		for _, c := range []string{`"`, `\`, "{", "}", "[", "]", ",", ":", " ", "0", "1", "-", ".", "e", "E", "\x00", "\x7f", "é"} {
			checkPlain(t, usual[:i]+c+usual[i:])
			checkPlain(t, usual[:i]+c+usual[i+1:])
		}
		if up := strings.ToUpper(usual[i : i+1]); up != usual[i:i+1] {
			checkPlain(t, usual[:i]+up+usual[i+1:])
		}
	}
}

func FuzzPlain(f *testing.F) {
	f.Add(usual)
	f.Add(`{"events":[{"target":{"size":1},"target":{"tag":"a"}}]}`)
	f.Fuzz(func(t *testing.T, body string) { checkPlain(t, body) })
}
