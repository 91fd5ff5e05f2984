package source

import (
	"net/http"
	"testing"

	"github.com/landwaiter/landwaiter/events"
)

// jFrogBody is a wrapped delivery; more is added to its data.
func jFrogBody(event, key, path, more string) string {
	return `{"domain":"docker","event_type":"` + event + `","data":` + jFrogBare(event, key, path, more) + `,"jpd_origin":"https://evil.example","source":"jfrog/x"}`
}

func jFrogBare(event, key, path, more string) string {
	return `{"repo_key":"` + key + `","event_type":"` + event + `","path":"` + path + `"` + more + `}`
}

func TestJFrog(t *testing.T) {
	const (
		path = "team/web/1/manifest.json"
		list = "team/web/1/list.manifest.json"
		sum  = `,"sha256":"` + hexA + `","tag":"1"`
	)
	unknown := gist{events.ImagePushed, events.ClassUnknown, "local/team/web:1@", ""}
	checkDelivered(t, JFrog{}, []delivered{
		{"pushed", jFrogBody("pushed", "local", path, sum), unknown},
		{"image", jFrogBody("pushed", "local", path, sum+`,"image_type":"docker"`), gist{events.ImagePushed, events.ClassImage, "local/team/web:1@", ""}},
		{"perhaps a chart", jFrogBody("pushed", "local", path, sum+`,"image_type":"oci"`), unknown},
		{"index", jFrogBody("pushed", "local", list, sum+`,"image_type":"docker"`), gist{events.ImagePushed, events.ClassIndex, "local/team/web:1@", ""}},
		{"promoted", jFrogBody("promoted", "local", path, sum), unknown},
		{"deleted", jFrogBody("deleted", "local", path, sum), gist{events.ImageDeleted, "", "local/team/web:1@", ""}},
		{"unknown event", jFrogBody("polished", "local", path, sum), gist{events.RegistryOther, events.ClassUnknown, "local/team/web:1@", ""}},
		{"bare", jFrogBare("pushed", "local", path, sum), unknown},
		{"bare index", jFrogBare("pushed", "local", list, sum), gist{events.ImagePushed, events.ClassIndex, "local/team/web:1@", ""}},
		{"bare, of another domain", jFrogBare("deleted", "local", "team/web/1/web.jar", sum), gist{Reason: NotAnImage}},
		{"other domain", `{"domain":"artifact","event_type":"deployed","data":` + jFrogBare("", "local", path, sum) + `}`, gist{Reason: NotAnImage}},
		{"other domain without a path", `{"domain":"build","event_type":"uploaded","data":{"build_name":"x"}}`, gist{Reason: NotAnImage}},
		{"the tag is the word's, not the path's", jFrogBody("pushed", "local", path, `,"tag":"2"`), gist{events.ImagePushed, events.ClassUnknown, "local/team/web:2", ""}},
		{"the path's where there is no word", jFrogBody("pushed", "local", path, ""), gist{events.ImagePushed, events.ClassUnknown, "local/team/web:1", ""}},
		{"pushed by digest", jFrogBody("pushed", "local", "web/"+digestA+"/manifest.json", ""), gist{events.ImagePushed, events.ClassUnknown, "local/web@", ""}},
		{"checksum that is none", jFrogBody("pushed", "local", path, `,"sha256":"12ab","tag":"1"`), gist{events.ImagePushed, events.ClassUnknown, "local/team/web:1", ""}},
		{"library stays", jFrogBody("pushed", "cache", "library/ubuntu/1/manifest.json", sum), gist{events.ImagePushed, events.ClassUnknown, "cache/library/ubuntu:1@", ""}},
		{"image_name is shorter than the path", jFrogBody("pushed", "local", path, sum+`,"image_name":"web"`), unknown},
		{"signature", jFrogBody("pushed", "local", path, `,"tag":"sha256-`+hexA+`.sig"`), gist{events.RegistryOther, events.ClassSignature, "local/team/web:sha256-" + hexA + ".sig", ""}},
		{"path of two segments", jFrogBody("pushed", "local", "web/manifest.json", sum), gist{Reason: NoRepository}},
		{"no path", jFrogBody("pushed", "local", "", sum), gist{Reason: NoRepository}},
		{"no key", jFrogBody("pushed", "", path, sum), gist{Reason: NoRepository}},
		{"neither tag nor digest", jFrogBody("pushed", "local", "web/ /manifest.json", ""), gist{Reason: NoReference}},
		{"test button", jFrogBody("pushed", "sample_repo", "sample_dir/sample_tag/manifest.json", `,"sha256":"sample_checksum","tag":"sample_tag"`), gist{Reason: Ping}},
		{"fields of wrong types", jFrogBody("pushed", "local", path, sum+`,"size":"big","platforms":{"os":"linux"},"image_type":7`), unknown},
	})
}

func TestJFrogRepositories(t *testing.T) {
	s := JFrog{Repositories: map[string]string{"local": "virtual", "port": ""}}
	const path = "team/web/1/manifest.json"
	checkDelivered(t, s, []delivered{
		{"virtual", jFrogBody("pushed", "local", path, ""), gist{events.ImagePushed, events.ClassUnknown, "virtual/team/web:1", ""}},
		{"with a host of its own", jFrogBody("pushed", "port", path, ""), gist{events.ImagePushed, events.ClassUnknown, "team/web:1", ""}},
		{"not configured", jFrogBody("pushed", "other", path, ""), gist{Reason: OtherRepository}},
		{"no key", jFrogBody("pushed", "", path, ""), gist{Reason: NoRepository}},
	})
}

func TestJFrogFields(t *testing.T) {
	const more = `,"sha256":"` + hexA + `","size":1206,"tag":"1","platforms":[{"architecture":"arm64","os":"linux"}]`
	body := `{"domain":"docker","event_type":"pushed","data":` + jFrogBare("deleted", "local", "web/1/manifest.json", more) + `,"userContext":{"id":"alice","isToken":false}}`
	checkFacts(t, parsed(t, JFrog{}, http.Header{}, body), Fact{RegistryEvent: events.RegistryEvent{
		Kind: events.ImagePushed, Repository: "local/web", Tag: "1", Digest: digestA, Action: events.ActionPush, Class: events.ClassUnknown,
		OS: "linux", Architecture: "arm64", Actor: "alice", Size: 1206,
	}})
}

func TestJFrogPlatforms(t *testing.T) {
	for _, tt := range []struct{ name, file, platforms, want string }{
		{"one", jFrogManifest, `{"os":"windows","architecture":"amd64"}`, "windows/amd64"},
		{"two", jFrogManifest, `{"os":"linux","architecture":"amd64"},{"os":"linux","architecture":"arm"}`, "/"},
		{"none", jFrogManifest, ``, "/"},
		{"not known", jFrogManifest, `{"os":"unknown","architecture":"unknown"}`, "/"},
		{"no words", jFrogManifest, `{"os":"a.b","architecture":"> *"}`, "/"},
		{"of an index", jFrogIndex, `{"os":"linux","architecture":"amd64"}`, "/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := parsed(t, JFrog{}, http.Header{}, jFrogBody("pushed", "local", "web/1/"+tt.file, `,"platforms":[`+tt.platforms+`]`))
			if len(b.Facts) != 1 {
				t.Fatalf("%v", b)
			}
			if got := b.Facts[0].OS + "/" + b.Facts[0].Architecture; got != tt.want {
				t.Errorf("platform %q, want %q", got, tt.want)
			}
		})
	}
}

func TestJFrogNotAPayload(t *testing.T) {
	checkRefused(t, JFrog{}, "", "null", "{}", "[]", `"x"`, `{"domain":"docker","data":[]}`, `{"domain":"docker","event_type":"pushed"}`, "domain=docker")
}

func FuzzJFrog(f *testing.F) {
	f.Add([]byte(jFrogBody("pushed", "local", "team/web/1/manifest.json", `,"sha256":"`+hexA+`","platforms":[{"os":"linux","architecture":"arm"}]`)))
	f.Add([]byte(jFrogBare("deleted", "local", "web/1/list.manifest.json", "")))
	f.Fuzz(func(t *testing.T, body []byte) { checkValid(t, JFrog{}, body) })
}
