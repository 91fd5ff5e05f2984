package config

import "testing"

func TestParseSize(t *testing.T) {
	for text, want := range map[string]Size{
		"0": 0, "2000": 2000, "2000B": 2000, "192MiB": 192 << 20, "32 GiB": 32 << 30, "7TiB": 7 << 40, "500MB": 500e6, "1kB": 1000,
		"9223372036854775807": 1<<63 - 1,
	} {
		got, err := ParseSize(text)
		if err != nil || got != want {
			t.Errorf("%q: got %d, %v; want %d", text, got, err, want)
		}
		if again, err := ParseSize(got.String()); again != got || err != nil {
			t.Errorf("%q: written as %q, which is read as %d, %v", text, got, again, err)
		}
	}
	for _, text := range []string{"", "x", "-1", "1.5GiB", "MiB", "9000000TiB", "9223372036854775808", "1 000", "12MiBs", "0x10"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q: got %d", text, got)
		}
	}
}
