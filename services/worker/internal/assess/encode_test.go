package assess

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

// awkward texts are those that JSON or HTML bear only escaped, and names as they
// are usual.
var awkward = []string{
	"", "a", "bash", "pkg:deb/debian/bash@1%3A2?arch=amd64&distro=debian-12", "Debian <d@debian.org>", "<", "a>b&", "&&",
	`"`, `\`, `"packages":null`, "é", "\xff", "\u2028", "\x7f", "\x00", "\n", "a\tb", "<\n>", "~ ",
}

// fill gives every field of v a value, also those that are added one day.
func fill(v reflect.Value, random *rand.Rand) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(awkward[random.IntN(len(awkward))])
	case reflect.Int, reflect.Int64:
		v.SetInt(random.Int64N(4))
	case reflect.Float64:
		v.SetFloat(random.Float64() * 10)
	case reflect.Bool:
		v.SetBool(random.IntN(2) == 0)
	case reflect.Pointer:
		if random.IntN(2) == 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), random)
		}
	case reflect.Slice:
		if n := random.IntN(4); n > 0 { // else null
			v.Set(reflect.MakeSlice(v.Type(), n-1, n))
			for i := range v.Len() {
				fill(v.Index(i), random)
			}
		}
	case reflect.Struct:
		if at, isTime := reflect.TypeAssert[*time.Time](v.Addr()); isTime {
			*at = time.Unix(random.Int64N(1<<30), 0).UTC()
			return
		}
		for _, field := range v.Fields() {
			fill(field, random)
		}
	default:
		panic(fmt.Sprintf("no value for %s", v.Type()))
	}
}

func TestEncodeIsMarshal(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 3000 {
		var r verdict.Report
		fill(reflect.ValueOf(&r).Elem(), random)
		want, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := encode(r)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%v\ngot  %s\nwant %s", err, got, want)
		}
	}
}

// BenchmarkEncode writes a report of 150 packages and 30 findings.
func BenchmarkEncode(b *testing.B) {
	r := verdict.Report{Layers: []verdict.Layer{}}
	for i := range 150 {
		name := fmt.Sprintf("package%d", i)
		r.Packages = append(r.Packages, verdict.Package{
			Name: name, Version: "1:2", Ecosystem: "Debian:12", PURL: "pkg:deb/debian/" + name + "@1%3A2?arch=amd64&distro=debian-12",
			Evidence: "record", Location: "var/lib/dpkg/status", Layer: verdict.LayerRef{Digest: "sha256:" + strings.Repeat("a", 64)},
		})
	}
	for i := range 30 {
		r.Findings = append(r.Findings, verdict.Finding{
			ID: fmt.Sprintf("CVE-2026-%d", i), Aliases: []string{}, Package: r.Packages[i].PURL, Severity: verdict.High,
			CVSS:  &verdict.CVSS{Version: "3.1", Score: 7.5, Vector: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"},
			Layer: r.Packages[i].Layer, Advisories: []string{fmt.Sprintf("DEBIAN-CVE-2026-%d", i)},
		})
	}
	for name, write := range map[string]func(verdict.Report) ([]byte, error){
		"marshal": func(r verdict.Report) ([]byte, error) { return json.Marshal(r) }, "encode": encode,
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := write(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
