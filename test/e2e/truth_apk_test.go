package e2e

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/landwaiter/landwaiter/test/harness"
)

// apkPackage is one paragraph of apk's database.
type apkPackage struct{ name, version, origin, description, provides, files string }

// apkDatabase is written as apk does it: a paragraph a package, its fields by
// one letter, then its folders (F) with their files (R) and the files' modes (a)
// and sums (Z).
func apkDatabase(packages []apkPackage) string {
	var db strings.Builder
	sum := func(text string) string {
		s := sha1.Sum([]byte(text))
		return "Q1" + base64.StdEncoding.EncodeToString(s[:])
	}
	for _, p := range packages {
		fmt.Fprintf(&db, "C:%s\nP:%s\nV:%s\nA:x86_64\nS:3042\nI:16384\nT:%s\nU:https://example.org/%s\nL:MIT\n", sum(p.name+p.version), p.name, p.version, p.description, p.origin)
		if p.origin != "" {
			fmt.Fprintf(&db, "o:%s\n", p.origin)
		}
		db.WriteString("m:Nobody <nobody@example.org>\nt:1700000000\nc:0123456789abcdef0123456789abcdef01234567\nD:so:libc.musl-x86_64.so.1 !uclibc-utils\n")
		if p.provides != "" {
			fmt.Fprintf(&db, "p:%s\nr:%s-old\ni:%s busybox\nk:100\n", p.provides, p.name, p.name)
		}
		for file := range strings.FieldsSeq(p.files) {
			dir, base := file[:strings.LastIndexByte(file, '/')], file[strings.LastIndexByte(file, '/')+1:]
			fmt.Fprintf(&db, "F:%s\nM:0:0:1777\nR:%s\na:0:0:755\nZ:%s\n", dir, base, sum(file))
		}
		db.WriteString("\n")
	}
	return db.String()
}

// apkImage is an image of two layers, of which the upper one upgrades a package,
// removes one and installs one, and the database that counts.
func apkImage(t *testing.T) (string, v1.Image) {
	t.Helper()
	musl := apkPackage{"musl", "1.2.4-r2", "musl", "the musl c library (libc) implementation", "so:libc.musl-x86_64.so.1=1", "lib/ld-musl-x86_64.so.1"}
	busybox := apkPackage{"busybox", "1.36.1-r5", "busybox", "V:9 is in this text", "/bin/sh cmd:busybox=1.36.1-r5", "bin/busybox etc/securetty"}
	ssl := apkPackage{"ssl_client", "1.36.1-r5", "busybox", "External ssl_client", "", "usr/bin/ssl_client"}
	libcrypto := apkPackage{"libcrypto3", "3.1.4-r0", "openssl", "Crypto library from openssl", "so:libcrypto.so.3=3", "lib/libcrypto.so.3"}
	virtual := apkPackage{".build-deps", "20260101.120000", "", "virtual meta package", "", ""}
	before := apkDatabase([]apkPackage{musl, busybox, ssl, libcrypto})
	libcrypto.version = "3.1.4-r6"
	zlib := apkPackage{"zlib", "1.2.13-r1", "zlib", "A compression/decompression Library", "so:libz.so.1=1.2.13", "lib/libz.so.1.2.13"}
	after := apkDatabase([]apkPackage{musl, busybox, libcrypto, virtual, zlib})

	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: "amd64", RootFS: v1.RootFS{Type: "layers"}})
	if err != nil {
		t.Fatal(err)
	}
	image = harness.Append(t, image, harness.Files(t, map[string]string{
		"etc/os-release": "ID=alpine\nVERSION_ID=3.18.4\n", "lib/apk/db/installed": before,
	}), "ADD rootfs.tar /")
	return after, harness.Append(t, image, harness.Files(t, map[string]string{"lib/apk/db/installed": after}), "RUN apk upgrade")
}

// apkTruth reads what a paragraph's P, V and o fields say; the origin is the
// package itself where there is none.
func apkTruth(t *testing.T, database string) []string {
	t.Helper()
	var list []string
	for paragraph := range strings.SplitSeq(strings.TrimSpace(database), "\n\n") {
		fields := map[byte]string{}
		for line := range strings.SplitSeq(paragraph, "\n") {
			fields[line[0]] = line[2:]
		}
		origin := fields['o']
		if origin == "" {
			origin = fields['P']
		}
		list = append(list, strings.Join([]string{fields['P'], fields['V'], origin, fields['V']}, "\t"))
	}
	return list
}
